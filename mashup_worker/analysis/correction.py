"""Corrections of an analysis by a listener: tempo level, downbeats and key."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from mashup_worker.analysis.document import read_analysis
from mashup_worker.analysis.key_names import KEYS, camelot
from mashup_worker.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mashup_worker.analysis.result import Analysis, TempoStretch

TEMPO_FACTORS = (0.5, 1.0, 2.0)
_NEAR_S = 1e-3


@dataclass(frozen=True, kw_only=True)
class Correction:
    """Correction of an analysis.

    Attributes:
        tempo_factor: 2 for twice as many beats, 0.5 for every second one.
        downbeat_shift: beats, after the change of tempo, by which bars begin later; earlier if
            negative. Half a beat moves the beats too, to the middles between those found.
        key: key that replaces the one found.

    Raises:
        InvalidInput: a value is out of range.
    """

    tempo_factor: float = 1.0
    downbeat_shift: float = 0.0
    key: str | None = None

    def __post_init__(self) -> None:
        if self.tempo_factor not in TEMPO_FACTORS:
            raise InvalidInput(f"tempo factor {self.tempo_factor:g}: choose 0.5, 1 or 2")
        if 2 * self.downbeat_shift % 1:
            raise InvalidInput(f"downbeat shift {self.downbeat_shift:g}: not in half beats")
        if self.key is not None and self.key not in KEYS:
            raise InvalidInput(f"key {self.key!r}: unknown; choose {', '.join(KEYS)}")


def corrected(analysis: Analysis, correction: Correction) -> Analysis:
    """Return an analysis with a correction.

    Twice as many beats are those found and their midpoints, and each bar becomes two. Of half as
    many, those at the parity of the first downbeat stay, and two bars become one. Parts with a
    tempo of their own are changed separately. Candidates stay as they were found, and values that
    the listener set are sure.
    """
    changed, bar = analysis, analysis.beats_per_bar or 1
    if analysis.tempo_bpm is not None:
        if correction.tempo_factor != 1 or correction.downbeat_shift % bar:
            changed = _with_other_beats(analysis, analysis.tempo_bpm, correction)
        if correction.tempo_factor != 1:
            changed = replace(changed, tempo_confidence=1.0, beat_confidence=1.0)
        elif correction.downbeat_shift % 1:
            changed = replace(changed, beat_confidence=1.0)
    if correction.key is not None:
        key = correction.key
        changed = replace(changed, key=key, camelot=camelot(key), key_confidence=1.0)
    return changed


def corrected_document(document: Mapping[str, Any], correction: Correction) -> dict[str, Any]:
    """Return the analysis in a job's output with a correction; one in another format unchanged."""
    analysis = read_analysis(document)
    if analysis is None:
        return dict(document)
    return {**document, **corrected(analysis, correction).as_dict()}


def _with_other_beats(analysis: Analysis, tempo_bpm: float, correction: Correction) -> Analysis:
    stretches, factor = analysis.tempo_stretches, correction.tempo_factor
    parts = [
        _corrected_part(beats, downbeats, analysis.beats_per_bar, correction)
        for beats, downbeats in zip(
            _split(analysis.beats_s, stretches),
            _split(analysis.downbeats_s, stretches),
            strict=True,
        )
    ]
    return replace(
        analysis,
        tempo_bpm=factor * tempo_bpm,
        beats_s=tuple(at for beats, _ in parts for at in beats),
        downbeats_s=tuple(at for _, downbeats in parts for at in downbeats),
        tempo_stretches=tuple(
            replace(
                stretch,
                start_s=beats[0] if beats else stretch.start_s,
                stop_s=beats[-1] if beats else stretch.stop_s,
                tempo_bpm=factor * stretch.tempo_bpm,
            )
            for stretch, (beats, _) in zip(stretches, parts, strict=False)  # 0 or as many
        ),
    )


def _split(times_s: Sequence[float], stretches: Sequence[TempoStretch]) -> list[tuple[float, ...]]:
    """Return times by stretch, of which each begins with its first beat."""
    starts = [bisect_left(times_s, stretch.start_s - _NEAR_S) for stretch in stretches[1:]]
    borders = [0, *starts, len(times_s)]
    return [tuple(times_s[a:b]) for a, b in pairwise(borders)]


def _corrected_part(
    beats: Sequence[float], downbeats: Sequence[float], bar: int | None, correction: Correction
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return beats and downbeats of a part with one tempo and phase."""
    bars = [bisect_left(beats, at - _NEAR_S) for at in downbeats]
    if correction.tempo_factor == 2:
        beats, bars = _doubled(beats, bars, bar)
    elif correction.tempo_factor == 0.5:
        beats, bars = _halved(beats, bars)
    if correction.downbeat_shift % 1:
        beats = _middles(beats)
    if bars and bar:
        shift = math.floor(correction.downbeat_shift) % bar
        bars = [at + shift for at in bars]
        bars = [*range(bars[0] % bar, bars[0], bar), *bars]
        bars += range(bars[-1] + bar, len(beats), bar)
    return tuple(beats), tuple(beats[at] for at in bars if at < len(beats))


def _doubled(
    beats: Sequence[float], bars: Sequence[int], bar: int | None
) -> tuple[list[float], list[int]]:
    more = sorted([*beats, *_middles(beats)])
    starts = [
        at
        for start, stop in pairwise([*bars, len(beats)])
        for at in range(2 * start, 2 * stop, bar or 2 * stop)
    ]
    return more, starts


def _middles(beats: Sequence[float]) -> list[float]:
    return [(start + stop) / 2 for start, stop in pairwise(beats)]


def _halved(beats: Sequence[float], bars: Sequence[int]) -> tuple[list[float], list[int]]:
    first = bars[0] % 2 if bars else 0
    return list(beats[first::2]), [(at - first) // 2 for at in bars[::2]]
