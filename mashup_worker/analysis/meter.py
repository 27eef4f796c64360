"""Which pulse people would tap, and where bars begin: one decision over all that is possible.

Every hypothesis names a beat period related to the pulse, a phase, and a bar of three or four beats
with its first. Evidence for it is summed up in a few named figures, and the weighted sum decides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mashup_worker.analysis.feature_streams import STROKES, Streams, standardised
from mashup_worker.analysis.onsets import FRAME_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mashup_worker.analysis.arrays import Array

LEVELS = (1 / 4, 1 / 3, 3 / 8, 1 / 2, 2 / 3, 3 / 4, 1, 4 / 3, 3 / 2, 2, 8 / 3, 3, 4)
"""Beat periods that are tried, in periods of the pulse. Eighths of three are in it because dotted
rhythms are often felt more than the beat they stand against."""

FEWEST_BEATS = 8
"""Rows of fewer beats are not weighed."""

_PHASES = 48
_KEPT_PHASES = 6
_BLUR = {-2: 1, -1: 2, 0: 3, 1: 2, 2: 1}
_FLUX, _STRUCK = slice(0, 4), slice(0, len(STROKES))
_KICK, _SNARE, _ALL = STROKES.index("kick"), STROKES.index("snare"), STROKES.index("all")
_PHASE_WEIGHTS = np.array([1.5, 1.0, 1.0, 0.5])


@dataclass(frozen=True)
class Beats:
    """A possible row of beats: beat `i` lies at pulse `offset + i * level`.

    Attributes:
        level: periods of the pulse in a beat.
        offset: position of the first beat, in pulses.
        tempo_bpm: what that makes.
    """

    level: float
    offset: float
    tempo_bpm: float


@dataclass(frozen=True)
class Metre:
    """Beats and their bars: bars begin at beat `first` and every `beats_per_bar` from there."""

    beats: Beats
    beats_per_bar: int
    first: int


@dataclass(frozen=True, eq=False)
class Weighed:
    """Hypotheses and the evidence for each.

    Attributes:
        metres: the hypotheses.
        evidence: shape `(len(metres), features)`, columns as `FEATURES` names them.
    """

    metres: tuple[Metre, ...]
    evidence: Array


def weigh(
    heard: Streams,
    pulse: Array,
    tempo_strength: tuple[Array, Array],
    tempo_range_bpm: tuple[float, float],
    beats_per_bar: tuple[int, ...] = (3, 4),
) -> Weighed:
    """All hypotheses with their evidence.

    Args:
        heard: strokes and harmony.
        pulse: instants of the pulse in frames, rising, shape `(instants,)`.
        tempo_strength: tempi in BPM, rising, and how strongly each is felt.
        tempo_range_bpm: the lowest and highest tempo to try.
        beats_per_bar: lengths of bars to try.
    """
    metres: list[Metre] = []
    rows: list[list[float]] = []
    for beats in _rows_of_beats(heard, pulse, tempo_range_bpm):
        seen = _Seen(heard, pulse, beats)
        common = seen.level_evidence(tempo_strength)
        for length in beats_per_bar:
            for first in range(length):
                metres.append(Metre(beats, length, first))
                rows.append(common + seen.bar_evidence(length, first))
    return Weighed(tuple(metres), np.array(rows).reshape(len(metres), len(FEATURES)))


def _rows_of_beats(
    heard: Streams, pulse: Array, tempo_range_bpm: tuple[float, float]
) -> Iterator[Beats]:
    period = float(np.median(np.diff(pulse)))
    for level in LEVELS:
        tempo_bpm = 60 * FRAME_RATE_HZ / (period * level)
        if not tempo_range_bpm[0] <= tempo_bpm <= tempo_range_bpm[1]:
            continue
        if (len(pulse) - 1) / level < FEWEST_BEATS + 1:
            continue
        for offset in _phases(heard, pulse, level):
            yield Beats(level, offset, tempo_bpm)


def _phases(heard: Streams, pulse: Array, level: float) -> list[float]:
    """The offsets, in pulses, at which beats of this level would be struck most."""
    offsets = np.arange(_PHASES) / _PHASES * level
    count = int((len(pulse) - 1) / level) - 1
    at = offsets[:, None] + np.arange(count) * level
    strokes = heard.at(instants(pulse, at.ravel()))[_FLUX].reshape(4, *at.shape).mean(axis=2)
    profile = _PHASE_WEIGHTS @ strokes
    # Strokes are pooled over some frames, so peaks are plateaus: blurred, they peak in the middle.
    profile = sum(weight * np.roll(profile, k) for k, weight in _BLUR.items())
    peaks = (profile >= np.roll(profile, 1)) & (profile > np.roll(profile, -1))
    best = sorted(np.flatnonzero(peaks), key=lambda i: -profile[i])[:_KEPT_PHASES]
    # Beats lie on twelfths of the pulse: near enough, and each phase is tried once.
    return sorted({round(offsets[i] * 12) / 12 % level for i in best})


def instants(pulse: Array, position: Array) -> Array:
    """Frames of positions counted in pulses; the ends go on as they were."""
    whole = np.clip(np.floor(position).astype(int), 0, len(pulse) - 2)
    step = pulse[whole + 1] - pulse[whole]
    return np.asarray(pulse[whole] + (position - whole) * step)


class _Seen:
    """A row of beats as it meets the song."""

    def __init__(self, heard: Streams, pulse: Array, beats: Beats) -> None:
        self.beats = beats
        count = int((len(pulse) - 1 - beats.offset) / beats.level) + 1
        position = beats.offset + np.arange(count) * beats.level
        self.on = heard.at(instants(pulse, position))
        self.half = heard.at(instants(pulse, position + beats.level / 2))
        third, quarter = beats.level / 3, beats.level / 4
        self.third = self._between(heard, pulse, position + third, position + 2 * third)
        self.quarter = self._between(heard, pulse, position + quarter, position + 3 * quarter)
        edges = beats.offset + (np.arange(-1, count + 1)) * beats.level
        self.chord, self.bass = _changes(heard, instants(pulse, edges))
        self.half_chord = _changes(heard, instants(pulse, edges + beats.level / 2))[0]
        self.rows = np.clip(standardised(np.concatenate([self.on, [self.chord, self.bass]])), -3, 3)
        self.half_rows = np.clip(standardised(self.half), -3, 3)

    @staticmethod
    def _between(heard: Streams, pulse: Array, first: Array, last: Array) -> Array:
        """Mean of the strokes at two places between the beats."""
        return (heard.at(instants(pulse, first)) + heard.at(instants(pulse, last))) / 2

    def level_evidence(self, tempo_strength: tuple[Array, Array]) -> list[float]:
        octaves = math.log2(self.beats.tempo_bpm / 115)
        felt = np.interp(
            math.log2(self.beats.tempo_bpm), np.log2(tempo_strength[0]), tempo_strength[1]
        )
        on, half = self.on.mean(axis=1), self.half.mean(axis=1)
        third, quarter = self.third.mean(axis=1), self.quarter.mean(axis=1)
        return [
            octaves,
            octaves**2,
            float(felt),
            *on,
            *half,
            third[_ALL],
            *quarter[[_KICK, _SNARE, _ALL]],
            float(self.chord.mean()),
            float(self.half_chord.mean()),
        ]

    def bar_evidence(self, length: int, first: int) -> list[float]:
        here = np.array([self.rows[:, first + k :: length].mean(axis=1) for k in range(length)]).T
        other = 7 - length  # three against four, four against three
        repeats = self._repeats(length) - self._repeats(other)
        if length == 4:
            back = (here[:, 1] + here[:, 3] - here[:, 0] - here[:, 2]) / 2
            figures = [*here[:, 0], *here[:, 2], *back[_STRUCK], repeats]
            return figures + [0.0] * len(_THREE)
        back = (here[:, 1] + here[:, 2]) / 2 - here[:, 0]
        halves = float(
            (self.rows[_STRUCK, 1:-1] * self.half_rows[:, 2:]).mean()
            + (self.rows[_STRUCK, 2:] * self.half_rows[:, :-2]).mean()
        )
        return [0.0] * len(_FOUR) + [*here[:, 0], *back[_STRUCK], repeats, halves, 1.0]

    def _repeats(self, lag: int) -> float:
        if self.rows.shape[1] < 2 * lag + 2:
            return 0.0
        once = (self.rows[:, lag:] * self.rows[:, :-lag]).mean()
        twice = (self.rows[:, 2 * lag :] * self.rows[:, : -2 * lag]).mean()
        return float(once + twice) / 2


def _changes(heard: Streams, edges: Array) -> tuple[Array, Array]:
    """How much chords and bass change at each inner edge."""
    treble, bass = heard.pitches(edges)
    return _distance(treble), _distance(bass)


def _distance(chroma: Array) -> Array:
    """One minus the cosine between neighbours, shape `(12, n)` to `(n - 1,)`."""
    before, after = chroma[:, :-1], chroma[:, 1:]
    norms = np.sqrt(np.square(before).sum(axis=0) * np.square(after).sum(axis=0))
    return np.asarray(1 - (before * after).sum(axis=0) / np.maximum(norms, 1e-9))


_HEARD = (*STROKES, "chord", "bass")
_LEVEL = (
    "octaves",
    "octaves²",
    "tempogram",
    *(f"{name} on beats" for name in STROKES),
    *(f"{name} on halves" for name in STROKES),
    "all on thirds",
    *(f"{name} on quarters" for name in ("kick", "snare", "all")),
    "chord on beats",
    "chord on halves",
)
_FOUR = (
    *(f"{name} on 1 of 4" for name in _HEARD),
    *(f"{name} on 3 of 4" for name in _HEARD),
    *(f"{name} on 2 and 4" for name in STROKES),
    "repeats by 4",
)
_THREE = (
    *(f"{name} on 1 of 3" for name in _HEARD),
    *(f"{name} on 2 and 3" for name in STROKES),
    "repeats by 3",
    "halves by 3",
    "three",
)
FEATURES = _LEVEL + _FOUR + _THREE
"""Names of the evidence, in order."""
