"""Whether a voice and what accompanies it are in one key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from mashup_worker.analysis.chroma import FRAME_RATE_HZ, RATE_HZ, chroma
from mashup_worker.audio.resample import resample
from mashup_worker.audio.signal import Audio
from mashup_worker.mixing.measures.report import Measurement

if TYPE_CHECKING:
    from torch import Tensor

_BASS_SHARE = 0.5
_SUNG_SHARE = 0.3
_BLOCK_S = 1.0
_LEAST_SUNG_S = 4.0
_LEAST_LIKENESS = 0.4
_MARGIN, _FIFTH_MARGIN = 0.1, 0.25
_FIFTHS = 5, 7
_NAME, _UNIT, _WANTED = "key: voice fits best at", "semitones", "0"


def key_match(voices: Audio | None, accompaniment: Audio | None) -> Measurement:
    """By how many semitones the voices would have to move to fit their accompaniment best.

    Pitch classes of both while there is singing, the voices' turned by each of the twelve steps,
    are correlated over the whole and second by second; the mean of both decides. Another step than
    0 is wrong where it is better by more than 0.1. A fifth away it must be better by 0.25: those
    keys share six of seven notes, so melodies that do without the seventh fit both.

    Not judged for less than 4 s of singing, or where neither step fits, as with speech.
    """
    if voices is None or accompaniment is None:
        what = "voices" if voices is None else "accompaniment with pitch"
        return Measurement(_NAME, None, _UNIT, _WANTED, detail=f"no {what} among the stems")
    sung, played = (_pitches(one) for one in (voices, accompaniment))
    frames = min(sung.shape[1], played.shape[1])
    sung, played = sung[:, :frames], played[:, :frames]
    loudness = sung.sum(dim=0)
    sounding = loudness > _SUNG_SHARE * (loudness.quantile(0.9) if frames else 0.0)
    sounding &= played.sum(dim=0) > 0
    if float(sounding.sum()) < _LEAST_SUNG_S * FRAME_RATE_HZ:
        why = f"less than {_LEAST_SUNG_S:g} s of singing with accompaniment"
        return Measurement(_NAME, None, _UNIT, _WANTED, detail=why)
    likeness = [
        _likeness(sung.roll(steps, dims=0)[:, sounding], played[:, sounding]) for steps in range(12)
    ]
    best = max(range(12), key=lambda steps: likeness[steps])
    second = max(value for steps, value in enumerate(likeness) if steps != best)
    ahead = likeness[best] - likeness[0]
    allowed = _FIFTH_MARGIN if best in _FIFTHS else _MARGIN
    detail = f"correlation {likeness[best]:.2f}, next best {second:.2f}, as it is {likeness[0]:.2f}"
    passed = ahead <= allowed if likeness[best] >= _LEAST_LIKENESS else None
    return Measurement(_NAME, float((best + 6) % 12 - 6), _UNIT, _WANTED, passed, detail)


def _pitches(audio: Audio) -> Tensor:
    """Strength of the twelve pitch classes over time, shape `(12, frames)`."""
    mono = Audio(audio.samples.mean(dim=0, keepdim=True).cpu(), audio.rate_hz)
    found = chroma(resample(mono, RATE_HZ).samples[0])
    return found.treble + _BASS_SHARE * found.bass


def _likeness(sung: Tensor, played: Tensor) -> float:
    """Correlation of the sums over all frames, and of those over each second; their mean."""
    whole = float(_correlation(sung.sum(dim=1, keepdim=True), played.sum(dim=1, keepdim=True)))
    size = round(_BLOCK_S * FRAME_RATE_HZ)
    blocks = sung.shape[1] // size
    by_second = [
        one[:, : blocks * size].unflatten(1, (blocks, size)).sum(dim=2) for one in (sung, played)
    ]
    weights = by_second[0].sum(dim=0)
    local = (_correlation(*by_second) * weights).sum() / weights.sum().clamp_min(1e-12)
    return 0.5 * (whole + float(local))


def _correlation(left: Tensor, right: Tensor) -> Tensor:
    """Pearson correlation of columns, 0 where one is constant."""
    left, right = (one - one.mean(dim=0) for one in (left, right))
    norms = left.norm(dim=0) * right.norm(dim=0)
    return torch.where(norms > 0, (left * right).sum(dim=0) / norms.clamp_min(1e-12), 0.0)
