"""Compatibility of one song's vocals with another song's instruments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.keys import fifths_between, transposed
from mashup_worker.mixing.planning.best_fit import ChordMatch, match_chords
from mashup_worker.mixing.planning.harmony import (
    MAX_SHIFT_SEMITONES,
    PitchAgreement,
    compare_profiles,
)
from mashup_worker.mixing.planning.tempo import (
    factor_name,
    find_common_tempo,
    is_cross_rhythm,
    share_meter,
)
from mashup_worker.mixing.scores import MIN_SCORE, UNKNOWN_SCORE, tempo_score, total_score
from mashup_worker.mixing.stretch_limit import format_speed_change, speed_change

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.mixing.planning.song_features import SongFeatures
    from mashup_worker.mixing.song import MixSong

_GOOD_CORRELATION = 0.7
"""Correlation of pitch classes with a score of 1."""

_CHANCE_AGREEMENT, _GOOD_AGREEMENT = 0.33, 0.85
"""Agreement of chords that have nothing to do with each other, and one with a score of 1."""

_SCORE_PER_SEMITONE = 0.97
_MIN_NOTED_CHANGE = 0.0005
_CROSS_RHYTHM_SHARE = 0.6
"""Share of the tempo score that two beats against three, or three against four, leave."""


@dataclass(frozen=True)
class CompatibilityScore:
    """Score of one aspect of compatibility, 0 to 1 for a perfect match, with its reason."""

    name: str
    value: float
    reason: str


@dataclass(frozen=True, kw_only=True)
class Match:
    """Compatibility of one song's vocals with another song's instruments.

    `total` is the weighted geometric mean of the scores. Semitones, tempo and stretch ratios are
    suggestions; `tempo_bpm` is None where the limits allow none. `chords` says where the songs fit
    best; None where the form of one of them is unknown.
    """

    vocal_song: str
    backing_song: str
    total: float
    scores: tuple[CompatibilityScore, ...]
    vocal_semitones: int = 0
    backing_semitones: int = 0
    tempo_bpm: float | None = None
    vocal_ratio: float = 1.0
    backing_ratio: float = 1.0
    chords: ChordMatch | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the match as JSON values."""
        return {
            "vocal_song": self.vocal_song,
            "backing_song": self.backing_song,
            "total": round(self.total, 3),
            "scores": {
                one.name: {"value": round(one.value, 3), "reason": one.reason}
                for one in self.scores
            },
            "chords": None if self.chords is None else self.chords.as_dict(),
            "suggestion": {
                "tempo_bpm": None if self.tempo_bpm is None else round(self.tempo_bpm, 3),
                "vocal_semitones": self.vocal_semitones,
                "backing_semitones": self.backing_semitones,
                "vocal_stretch_ratio": round(self.vocal_ratio, 4),
                "backing_stretch_ratio": round(self.backing_ratio, 4),
            },
        }


def compare_songs(vocals: SongFeatures, backing: SongFeatures) -> Match:
    """Score one song's vocals over another song's instruments."""
    tempo, tempo_bpm, ratios, factors = _tempo_score(vocals.song, backing.song)
    key, vocal_semitones, backing_semitones = _key_score(vocals, backing)
    chords = match_chords(vocals.song, backing.song, factors)
    scores = (
        tempo,
        key,
        *([] if chords is None else [_chord_score(chords, vocal_semitones - backing_semitones)]),
        _rhythm_score(vocals, backing),
        _spectrum_score(vocals, backing),
    )
    return Match(
        vocal_song=vocals.song.name,
        backing_song=backing.song.name,
        total=total_score({one.name: one.value for one in scores}),
        scores=scores,
        vocal_semitones=vocal_semitones,
        backing_semitones=backing_semitones,
        tempo_bpm=tempo_bpm,
        vocal_ratio=ratios[0],
        backing_ratio=ratios[1],
        chords=chords,
    )


def _tempo_score(
    vocal_song: MixSong, backing_song: MixSong
) -> tuple[CompatibilityScore, float | None, tuple[float, float], tuple[float, float]]:
    """Return the score, the common tempo, and stretch ratios and factors of vocals and backing."""
    try:
        tempo = find_common_tempo(share_meter([backing_song, vocal_song])[0], None, forced=False)
    except InvalidInput as error:
        return CompatibilityScore("tempo", 0.0, error.message), None, (1.0, 1.0), (1.0, 1.0)
    songs = (vocal_song, backing_song)
    vocal_ratio, backing_ratio = (
        song.grid.tempo_bpm / tempo.factors[song.name] / tempo.tempo_bpm for song in songs
    )
    ratios = (vocal_ratio, backing_ratio)
    largest = max(abs(speed_change(ratio)) for ratio in ratios)
    changes = [
        f"{song.name} {format_speed_change(ratio)}"
        for song, ratio in zip(songs, ratios, strict=True)
        if abs(speed_change(ratio)) >= _MIN_NOTED_CHANGE
    ]
    changes += [
        f"{name} {factor_name(factor)}" for name, factor in tempo.factors.items() if factor != 1
    ]
    value = tempo_score(largest)
    if any(is_cross_rhythm(factor) for factor in tempo.factors.values()):
        value *= _CROSS_RHYTHM_SHARE
    reason = f"{tempo.tempo_bpm:.2f} BPM: {', '.join(changes) or 'no stretching'}"
    factors = tempo.factors[vocal_song.name], tempo.factors[backing_song.name]
    return CompatibilityScore("tempo", value, reason), tempo.tempo_bpm, ratios, factors


def _key_score(vocals: SongFeatures, backing: SongFeatures) -> tuple[CompatibilityScore, int, int]:
    """Return the score of the best correlation, less 3 % a semitone, and both transpositions."""
    agreement = compare_profiles(vocals.vocal_pitches, backing.backing_pitches)
    keys = [one.song.analysis.key for one in (vocals, backing)]
    names = " over ".join(key or "unknown key" for key in keys)
    if not agreement.is_known:
        return CompatibilityScore("key", UNKNOWN_SCORE, f"{names}: no pitch to compare"), 0, 0
    relative = max(
        range(-2 * MAX_SHIFT_SEMITONES, 2 * MAX_SHIFT_SEMITONES + 1),
        key=lambda shift: (round(agreement.at(shift), 6), -abs(shift)),
    )
    vocal_semitones, backing_semitones = divide_shift(relative)
    value = min(1.0, max(MIN_SCORE, agreement.at(relative) / _GOOD_CORRELATION))
    distance = _fifths(keys, vocal_semitones, backing_semitones)
    reason = f"{names}{distance}, {_shift_reason(agreement, relative)}"
    return (
        CompatibilityScore("key", value * _SCORE_PER_SEMITONE ** abs(relative), reason),
        vocal_semitones,
        backing_semitones,
    )


def _chord_score(chords: ChordMatch, relative: int) -> CompatibilityScore:
    """Return the score of the agreement at a transposition, between chance and a perfect fit."""
    agreement = chords.by_shift[(relative + 5) % 12 - 5]
    value = (agreement - _CHANCE_AGREEMENT) / (_GOOD_AGREEMENT - _CHANCE_AGREEMENT)
    best = chords.best_shift
    reason = f"phrases agree by {agreement:.0%}"
    if best != relative:
        reason += f", by {chords.by_shift[best]:.0%} at {best:+d} semitones"
    return CompatibilityScore("chords", min(1.0, max(MIN_SCORE, value)), reason)


def divide_shift(relative: int) -> tuple[int, int]:
    """Divide a relative transposition among vocals and instruments, up to two semitones each."""
    vocals = max(-MAX_SHIFT_SEMITONES, min(MAX_SHIFT_SEMITONES, relative))
    return vocals, vocals - relative


def _fifths(keys: Sequence[str | None], vocal_semitones: int, backing_semitones: int) -> str:
    first, second = keys
    if first is None or second is None:
        return ""
    steps = fifths_between(
        transposed(first, vocal_semitones), transposed(second, backing_semitones)
    )
    return f" ({steps} step{'s' if steps != 1 else ''} on the circle of fifths after the shift)"


def _shift_reason(agreement: PitchAgreement, relative: int) -> str:
    plural = "s" if abs(relative) != 1 else ""
    shift = f"{relative:+d} semitone{plural}" if relative else "no shift"
    return f"correlation {agreement.at(relative):.2f} with {shift}, {agreement.at(0):.2f} without"


def _rhythm_score(vocals: SongFeatures, backing: SongFeatures) -> CompatibilityScore:
    a, b = vocals.accents, backing.accents
    scale = float(a.norm() * b.norm())
    if not scale:
        return CompatibilityScore("rhythm", UNKNOWN_SCORE, "no onsets to compare")
    similarity = float(a @ b) / scale
    degree = "the same" if similarity > 0.9 else "similar" if similarity > 0.7 else "different"
    return CompatibilityScore(
        "rhythm", max(MIN_SCORE, similarity), f"{degree} accents in the bar ({similarity:.2f})"
    )


def _spectrum_score(vocals: SongFeatures, backing: SongFeatures) -> CompatibilityScore:
    """Return the share of the vocals' energy in bands that the instruments leave free."""
    if not float(vocals.vocal_bands.sum()) or not float(backing.backing_bands.sum()):
        return CompatibilityScore("spectrum", UNKNOWN_SCORE, "one of the songs is silent")
    overlap = float(torch.minimum(vocals.vocal_bands, backing.backing_bands).sum())
    doubt = "" if vocals.song.vocals else "; measured without separated vocals"
    return CompatibilityScore(
        "spectrum", max(MIN_SCORE, 1 - overlap), f"{overlap:.0%} of the spectrum overlaps{doubt}"
    )
