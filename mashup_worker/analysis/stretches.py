"""Stretches of a song, each with a constant tempo and phase of its own.

A breath, an edit or a change of tempo ends one straight line of the pulse and begins another. The
best sequence of lines is a Viterbi path over all periods that occur and all phases of them, with
a fixed cost for each change. The model is that of a bar pointer whose tempo changes only in jumps
(N. Whiteley, A. Cemgil and S. Godsill, "Bayesian modelling of temporal structure in musical
audio", ISMIR 2006).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch

from mashup_worker.analysis.onsets import FRAME_RATE_HZ
from mashup_worker.analysis.tempo_lines import coherent_period

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.analysis.arrays import Array
    from mashup_worker.analysis.feature_streams import FeatureStreams
    from mashup_worker.analysis.onsets import Onsets
    from mashup_worker.analysis.tempogram import Tempogram

_WINDOW_S = 16.0
_WINDOW_CANDIDATES = 3
_LARGEST_RATIO = 1.5
_SAME_PERIOD = 0.0015
_LEVEL_WINDOW_S = 8.0
_PHASES = 32
_CHANGE_COST = 12.0
"""Onset strength, in standard deviations, that a change of the line must gain."""

_MIN_PULSES = 10
_SAME_PHASE = 0.1
_SAME_TEMPO = 0.004
_DRIFT, _DRIFT_PHASE = 0.06, 0.15
_ON_LINE = 0.93
_STEPS = 12
_PATTERN_PULSES, _FOLDED_PULSES = 32, 4
_PATTERN_GAIN = 0.5
"""By which a pattern must correlate better when it is moved. Riffs that begin off the beat gain up
to 0.4 in steady metal, songs that jump about 1."""

_JUMP_BEATS = 16
_CHORD_WEIGHT = 6.0
_JUMP_GAIN, _JUMP_REST = 0.1, 2.2
"""A moved pattern must correlate better by the first, and differ less by the second as a factor."""

_HALF_BEAT_REST = 3.4
"""The factor for moves by half a beat, which riffs that begin off the beat resemble."""


@dataclass(frozen=True)
class Stretch:
    """Part of a song with a constant pulse, in frames: from `start` until `stop`.

    Attributes:
        start: first frame.
        stop: end.
        period: frames per pulse.
        phase: position of one instant of the pulse.
    """

    start: int
    stop: int
    period: float
    phase: float

    def split(self, frames: Sequence[int]) -> list[Stretch]:
        """Return the parts between frames inside the stretch."""
        edges = [self.start, *frames, self.stop]
        return [replace(self, start=start, stop=stop) for start, stop in pairwise(edges)]

    @property
    def pulses(self) -> float:
        """Number of pulses."""
        return (self.stop - self.start) / self.period


def find_stretches(
    onsets: Onsets, tempi: Tempogram, streams: FeatureStreams, period: float
) -> list[Stretch]:
    """Split a song where its pulse changes its tempo or jumps.

    Args:
        onsets: onsets of one song, without batch axes.
        tempi: tempogram of these onsets.
        streams: strokes of the song, which distinguish a jump from a change of instruments.
        period: period of the pulse of the whole song in frames.

    Returns:
        The stretches in order; they cover the song. One for a song whose tempo drifts.
    """
    strength = _leveled(onsets.strength.cpu().double().numpy())
    lines = [
        (exact, exact * phase / _PHASES)
        for exact in _periods(onsets, tempi, period)
        for phase in range(_PHASES)
    ]
    block = max(20, round(period))
    stretches: list[Stretch] = []
    for number, line in enumerate(_path(lines, strength, block)):
        start, stop = number * block, min(len(strength), (number + 1) * block)
        if stretches and (stretches[-1].period, stretches[-1].phase) == line:
            start = stretches.pop().start
        stretches.append(Stretch(start, stop, *line))
    joined = _joined(_without_short(stretches), streams)
    if any(map(_goes_on, joined, joined[1:])) or any(_drifts(strength, one) for one in joined):
        return [Stretch(0, len(strength), period, 0.0)]
    return joined


def _goes_on(before: Stretch, after: Stretch) -> bool:
    """Return whether a tempo goes on in phase with hardly another period."""
    last, first = _instants_at_border(before, after)
    shift = (first - last) / before.period
    alike = abs(after.period / before.period - 1) < _DRIFT
    return alike and abs(shift - round(shift)) < _DRIFT_PHASE


def _drifts(strength: Array, stretch: Stretch) -> bool:
    """Return whether strokes lie beside the line of a stretch, rather than on it."""
    number = np.ceil((stretch.start - stretch.phase) / stretch.period)
    at = np.arange(stretch.phase + number * stretch.period, stretch.stop - 1, stretch.period)
    index = np.round(at).astype(int)

    def strongest(reach: int) -> float:
        near = index[:, None] + np.arange(-reach, reach + 1)
        return float(strength[np.clip(near, 0, len(strength) - 1)].max(axis=1).mean())

    # The lowest value of the strength is -1.
    return strongest(1) + 1 < _ON_LINE * (strongest(max(2, int(0.12 * stretch.period))) + 1)


def _instants_at_border(before: Stretch, after: Stretch) -> tuple[float, float]:
    """Return the instants nearest to the border by either line."""
    first, last = (
        one.phase + round((after.start - one.phase) / one.period) * one.period
        for one in (after, before)
    )
    return last, first


def _leveled(strength: Array) -> Array:
    """Scale onset strength to mean 0 and deviation 1 around each frame, limited to -1 to 3."""
    smooth = np.convolve(strength, [0.25, 0.5, 0.25], mode="same")
    window = min(len(smooth), round(_LEVEL_WINDOW_S * FRAME_RATE_HZ))
    sums, squares = (np.pad(np.cumsum(values), (1, 0)) for values in (smooth, np.square(smooth)))
    first = np.clip(np.arange(len(smooth)) - window // 2, 0, len(smooth) - window)
    mean = (sums[first + window] - sums[first]) / window
    variance = (squares[first + window] - squares[first]) / window - mean**2
    deviation = np.maximum(np.sqrt(np.maximum(variance, 0)), 0.3 * smooth.std())
    return np.asarray(np.clip((smooth - mean) / np.maximum(deviation, 1e-9), -1, 3))


def _periods(onsets: Onsets, tempi: Tempogram, period: float) -> list[float]:
    """Return the periods that windows of the song have, exactly, near the period of the whole."""
    frames, window = onsets.frames, round(_WINDOW_S * FRAME_RATE_HZ)
    bpm = 60 * FRAME_RATE_HZ / period
    near = (tempi.tempi_bpm > bpm / _LARGEST_RATIO) & (tempi.tempi_bpm < bpm * _LARGEST_RATIO)
    found = [period]
    for start in range(0, max(1, frames - window // 2), window // 2):
        at = [round(t / FRAME_RATE_HZ * tempi.frame_rate_hz) for t in (start, start + window)]
        here = tempi.strength[:, at[0] : max(at[0] + 1, at[1])].mean(dim=-1)
        here = torch.where(near, here, 0.0)
        inner = here[1:-1]
        peaks = torch.nonzero((inner > here[:-2]) & (inner >= here[2:]))[:, 0] + 1
        best = peaks[torch.argsort(here[peaks], descending=True)][:_WINDOW_CANDIDATES]
        groups = onsets.groups[:, start : start + window]
        near_periods = (60 * FRAME_RATE_HZ / tempi.tempi_bpm[best]).tolist()
        found.extend(coherent_period(groups, one)[0] for one in near_periods)
    return _distinct(found)


def _distinct(periods: Sequence[float]) -> list[float]:
    """Return the median of each group of nearly equal periods."""
    ordered = np.sort(np.array(periods))
    edges = np.flatnonzero(np.diff(ordered) / ordered[:-1] > _SAME_PERIOD) + 1
    return [float(np.median(group)) for group in np.split(ordered, edges)]


def _path(
    lines: Sequence[tuple[float, float]], strength: Array, block: int
) -> list[tuple[float, float]]:
    """Return the line of each block on the best path."""
    blocks = -(-len(strength) // block)
    near = np.maximum.reduce([np.roll(strength, shift) for shift in (-1, 0, 1)])
    gains = np.empty((len(lines), blocks))
    for row, (period, phase) in enumerate(lines):
        at = np.round(np.arange(phase, len(strength) - 1, period)).astype(int)
        sums = np.bincount(at // block, weights=near[at], minlength=blocks)
        # Denser lines meet more onsets by chance.
        gains[row] = sums * (period / lines[0][0]) ** 0.5
    total, came_from = gains[:, 0].copy(), np.zeros(gains.shape, dtype=int)
    for number in range(1, blocks):
        best = int(total.argmax())
        changed = total[best] - _CHANGE_COST
        came_from[:, number] = np.where(total >= changed, np.arange(len(total)), best)
        total = np.maximum(total, changed) + gains[:, number]
    path = [int(total.argmax())]
    for number in range(blocks - 1, 0, -1):
        path.append(int(came_from[path[-1], number]))
    return [lines[row] for row in reversed(path)]


def _without_short(stretches: list[Stretch]) -> list[Stretch]:
    """Give stretches of a few pulses to their longer neighbor."""
    stretches = list(stretches)
    while len(stretches) > 1:
        number = min(range(len(stretches)), key=lambda i: stretches[i].pulses)
        if stretches[number].pulses >= _MIN_PULSES:
            break
        short = stretches.pop(number)
        others = [i for i in (number - 1, number) if 0 <= i < len(stretches)]
        taker = max(others, key=lambda i: stretches[i].pulses)
        one = stretches[taker]
        span = min(one.start, short.start), max(one.stop, short.stop)
        stretches[taker] = Stretch(*span, one.period, one.phase)
    return stretches


def _joined(stretches: list[Stretch], streams: FeatureStreams) -> list[Stretch]:
    """Join neighbors that continue one line, or of which only the instruments differ."""
    out = stretches[:1]
    for stretch in stretches[1:]:
        before = out[-1]
        if _is_continued(before, stretch, streams):
            longer = max(before, stretch, key=lambda one: one.pulses)
            out[-1] = Stretch(before.start, stretch.stop, longer.period, longer.phase)
        else:
            out.append(stretch)
    return out


def _is_continued(before: Stretch, after: Stretch, streams: FeatureStreams) -> bool:
    if abs(after.period / before.period - 1) > _SAME_TEMPO:
        return False
    last, first = _instants_at_border(before, after)
    shift = (first - last) / before.period
    shift -= round(shift)
    if abs(shift) < _SAME_PHASE:
        return True
    pattern = _pattern(streams, last, before.period, -_PATTERN_PULSES)
    return _likeness(pattern, _pattern(streams, first, after.period, _PATTERN_PULSES)) < (
        _likeness(pattern, _pattern(streams, last, after.period, _PATTERN_PULSES)) + _PATTERN_GAIN
    )


def _pattern(streams: FeatureStreams, at: float, period: float, pulses: int) -> Array:
    """Return the mean strokes over a few pulses before or after an instant.

    Shape: `(streams, steps)`.
    """
    steps = np.arange(min(pulses, 0) * _STEPS, max(pulses, 0) * _STEPS)
    frames = at + steps * period / _STEPS
    inside = (frames >= 0) & (frames < streams.frames)
    strokes = np.where(inside, streams.at(frames), 0.0)
    folded = strokes.reshape(len(strokes), -1, _FOLDED_PULSES * _STEPS).mean(axis=1)
    return np.asarray(folded - folded.mean(axis=1, keepdims=True))


def _likeness(pattern: Array, other: Array) -> float:
    """Return the highest correlation of two patterns, shifted by whole pulses."""
    shifts = range(0, _FOLDED_PULSES * _STEPS, _STEPS)
    return max(_correlation(pattern, np.roll(other, shift, axis=1)) for shift in shifts)


def find_jumps(streams: FeatureStreams, beats: Array, beats_per_bar: int) -> list[int]:
    """Find where a steady song moves by half beats: after a breath, an edit or half a bar more.

    Such a jump stays on the grid of the half beats, so only the pattern of the strokes shows it.

    Args:
        streams: strokes of the song.
        beats: beats of a steady grid in frames, rising.
        beats_per_bar: length of a bar.

    Returns:
        Indices of the beats from which on the bars lie elsewhere, rising.
    """
    if len(beats) < 4 * beats_per_bar + 1:
        return []
    strokes = _strokes_and_chords(streams, beats)
    jumps: list[int] = []
    pending = [(0, len(beats) - 1)]
    while pending:
        first, stop = pending.pop()
        jump = _largest_jump(strokes, first, stop, beats_per_bar)
        if jump is not None:
            jumps.append(jump)
            pending += [(first, jump), (jump, stop)]
    return sorted(jumps)


def _strokes_and_chords(streams: FeatureStreams, beats: Array) -> Array:
    """Return the strokes at each step of the beats, and the changes of harmony at half beats.

    Shape: `(rows, (beats - 1) * _STEPS)`.
    """
    position = np.arange((len(beats) - 1) * _STEPS) / _STEPS
    strokes = streams.at(np.interp(position, np.arange(len(beats)), beats))
    halves = np.arange(-1, 2 * len(beats) - 1) / 2
    edges = beats[0] + (beats[-1] - beats[0]) * halves / (len(beats) - 1)
    chords = np.zeros((2, len(position)))
    chords[:, :: _STEPS // 2] = _CHORD_WEIGHT * np.stack(streams.changes(edges))
    return np.concatenate([strokes, chords])


def _largest_jump(strokes: Array, first: int, stop: int, beats_per_bar: int) -> int | None:
    """Return the beat around which the patterns agree so much better when one is moved."""
    best, found = _JUMP_GAIN, None
    for beat in range(first + 2 * beats_per_bar, stop - 2 * beats_per_bar + 1):
        sides = [
            min(_JUMP_BEATS, length) // beats_per_bar * beats_per_bar
            for length in (beat - first, stop - beat)
        ]
        before = _folded(strokes, beat - sides[0], beat, beats_per_bar)
        after = _folded(strokes, beat, beat + sides[1], beats_per_bar)
        same, *moved = (
            _correlation(before, np.roll(after, halves * _STEPS // 2, axis=1))
            for halves in range(2 * beats_per_bar)
        )
        gain, is_whole = max(moved) - same, int(np.argmax(moved)) % 2
        rest = _JUMP_REST if is_whole else _HALF_BEAT_REST
        if gain > best and 1 - same > rest * (1 - max(moved)):
            best, found = gain, beat
    return found


def _correlation(pattern: Array, other: Array) -> float:
    norm = np.sqrt(np.square(pattern).sum() * np.square(other).sum())
    return float((pattern * other).sum()) / max(float(norm), 1e-9)


def _folded(strokes: Array, first: int, stop: int, beats_per_bar: int) -> Array:
    part = strokes[:, first * _STEPS : stop * _STEPS]
    bars = part.reshape(len(part), -1, beats_per_bar * _STEPS).mean(axis=1)
    return np.asarray(bars - bars.mean(axis=1, keepdims=True))
