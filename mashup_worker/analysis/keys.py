"""Key of a song, from weighted evidence for each of the 24 keys.

The base is the correlation of the pitch classes with key profiles (C. Krumhansl, "Cognitive
Foundations of Musical Pitch", 1990). Further evidence is the end and the beginning of the song, the
triads that last, and the triads that follow their dominant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mashup_worker.analysis.chroma import FRAME_RATE_HZ
from mashup_worker.analysis.key_names import KEYS, camelot
from mashup_worker.analysis.result import KeyCandidate
from mashup_worker.analysis.weights import key_weights

if TYPE_CHECKING:
    from mashup_worker.analysis.arrays import Array
    from mashup_worker.analysis.chroma import Chroma
    from mashup_worker.analysis.result import KeyProfile

PROFILES: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "krumhansl": (
        (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
        (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
    ),
    "temperley": (
        (0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400),
        (0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330),
    ),
    "edm": (
        (0.165, 0.047, 0.083, 0.067, 0.100, 0.093, 0.053, 0.132, 0.052, 0.074, 0.069, 0.064),
        (0.172, 0.053, 0.076, 0.100, 0.056, 0.085, 0.050, 0.135, 0.075, 0.050, 0.092, 0.055),
    ),
}
"""Weights of the degrees of the chromatic scale in major and in minor: Krumhansl and Kessler 1982;
Temperley, "Music and Probability", 2007, table 6.2; Faraldo et al., "Key estimation in electronic
dance music", ECIR 2016 (rounded)."""

FEATURES = (
    "profile",
    "bass profile",
    "last bass",
    "last triad",
    "first triad",
    "triads that last",
    "cadences",
    "minor",
    "fourth",
    "major seventh",
    "minor second",
    "third",
    "bass on tonic",
)

_BASS_SHARE = 0.5
_END_S = 2.0
_CHORD_S = 1.0
_SHARPNESS = 8.0
_SOUNDING_SHARE = 0.25
_CLEAR, _VAGUE = 0.25, 0.05
_FULL_CONFIDENCE_S = 8.0


@dataclass(frozen=True)
class KeyEstimate:
    """Keys of a song by likelihood.

    Attributes:
        candidates: all 24 keys, best first; empty for silence.
        confidence: share of the best key, reduced for unclear pitches and short songs, 0 to 1.
        profile: name of the key profile in use.
    """

    candidates: tuple[KeyCandidate, ...] = ()
    confidence: float = 0.0
    profile: str | None = None


def estimate_key(harmony: Chroma, profile: KeyProfile = "auto") -> KeyEstimate:
    """Estimate the key of one song from chroma without batch axes.

    `auto` uses the profile whose best key has the largest share.
    """
    treble, bass = (part.cpu().double().numpy() for part in (harmony.treble, harmony.bass))
    if treble.shape[1] == 0 or treble.max() <= 0:
        return KeyEstimate()
    shares = {
        name: _shares(name, evidence(treble, bass, name))
        for name in (PROFILES if profile == "auto" else (profile,))
    }
    chosen = max(shares, key=lambda name: shares[name].max())
    share = shares[chosen]
    order = np.argsort(-share)
    clarity = float(np.clip((float(harmony.clarity) - _VAGUE) / (_CLEAR - _VAGUE), 0, 1))
    sounding_s = float((treble.sum(axis=0) > 0).sum()) / FRAME_RATE_HZ
    length = min(1.0, sounding_s / _FULL_CONFIDENCE_S)
    return KeyEstimate(
        candidates=tuple(KeyCandidate(KEYS[i], camelot(KEYS[i]), float(share[i])) for i in order),
        confidence=min(1.0, float(share[order[0]])) * clarity * length,
        profile=chosen,
    )


def _shares(profile: str, rows: Array) -> Array:
    weights = key_weights()[profile]
    score = rows @ np.array([weights[name] for name in FEATURES])
    share = np.exp(score - score.max())
    return np.asarray(share / share.sum())


def evidence(treble: Array, bass: Array, profile: str) -> Array:
    """Return the evidence for each key.

    Shape: two of `(12, frames)` to `(24, len(FEATURES))`.
    """
    level = treble.sum(axis=0)
    sounding = np.flatnonzero(level > _SOUNDING_SHARE * np.median(level[level > 0]))
    end = round(_END_S * FRAME_RATE_HZ)
    first = slice(sounding[0], sounding[0] + end)
    last = slice(max(0, sounding[-1] + 1 - end), sounding[-1] + 1)
    every, low = _share(treble.mean(axis=1)), _share(bass.mean(axis=1))
    triads = _triads_over_time(treble, bass)
    columns = (
        _profile_fit(every + _BASS_SHARE * low, profile),
        _profile_fit(low, profile),
        np.tile(_share(bass[:, last].sum(axis=1)), 2),
        _triad_fit(treble[:, last].sum(axis=1)),
        _triad_fit(treble[:, first].sum(axis=1)),
        triads.mean(axis=1),
        _cadences(triads),
        np.repeat([0.0, 1.0], 12),
        *_degrees(every, low),
    )
    return np.stack(columns, axis=1)


def _degrees(every: Array, low: Array) -> list[Array]:
    """Return what distinguishes a key from its neighbors by a fifth, its relative and its parallel.

    Each shape `(24,)`, -1 to 1.
    """
    scale, bass = (
        np.stack([np.roll(share, -tonic) for tonic in range(12)], axis=1) for share in (every, low)
    )

    def more(share: Array, degree: int, other: int) -> Array:
        total = np.maximum(share[degree] + share[other], 1e-12)
        return np.asarray((share[degree] - share[other]) / total)

    third, none = more(scale, 4, 3), np.zeros(12)
    return [
        np.tile(more(scale, 5, 6), 2),
        np.concatenate([more(scale, 11, 10), none]),
        np.concatenate([none, more(scale, 2, 1)]),
        np.concatenate([third, -third]),
        np.tile(more(bass, 0, 7), 2),
    ]


def _share(chroma: Array) -> Array:
    return np.asarray(chroma / max(float(chroma.sum()), 1e-12))


def _profile_fit(chroma: Array, profile: str) -> Array:
    """Return the correlation with the profile of each key, shape `(24,)`."""
    fits = []
    for degrees in PROFILES[profile]:
        shape = np.array(degrees) - np.mean(degrees)
        for tonic in range(12):
            turned = np.roll(chroma, -tonic) - chroma.mean()
            norm = np.sqrt(np.square(turned).sum() * np.square(shape).sum())
            fits.append(float(turned @ shape) / max(norm, 1e-12))
    return np.array(fits)


def _triad_fit(chroma: Array) -> Array:
    """Return the strength of each key's tonic triad, shape `(12, ...)` to `(24, ...)`."""
    unit = chroma / np.maximum(np.sqrt(np.square(chroma).sum(axis=0)), 1e-12)
    fifth = unit + np.roll(unit, -7, axis=0)
    return np.concatenate([fifth + np.roll(unit, -third, axis=0) for third in (4, 3)])


def _triads_over_time(treble: Array, bass: Array) -> Array:
    """Return the share of each triad in each second, shape `(24, seconds)`."""
    both = treble + 0.7 * bass * treble.mean() / max(float(bass.mean()), 1e-12)
    starts = np.arange(0, both.shape[1], _CHORD_S * FRAME_RATE_HZ).astype(int)
    fit = np.exp(_SHARPNESS * _triad_fit(np.add.reduceat(both, starts, axis=1)))
    return np.asarray(fit / fit.sum(axis=0))


def _cadences(triads: Array) -> Array:
    """Return how often each triad follows its dominant or, at half weight, its subdominant."""
    if triads.shape[1] < 2:
        return np.zeros(24)
    before, after = triads[:, :-1], triads[:, 1:]
    key = np.arange(24)
    tonic, minor = key % 12, key // 12
    dominant = before[(tonic + 7) % 12]
    subdominant = before[(tonic + 5) % 12 + 12 * minor]
    return np.asarray(((dominant + 0.5 * subdominant) * after).mean(axis=1))
