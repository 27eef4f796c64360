"""Click tracks and metronomes: regular clicks in silence, of which the first of a bar differs.

Accents of music are one hint among many. Here they are the only one, and exact, so that each click
is a beat and the clicks that differ begin the bars.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mashup_worker.analysis.meter import instants
from mashup_worker.analysis.result import BEATS_PER_BAR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.analysis.arrays import Array, Indices
    from mashup_worker.analysis.meter import Meter
    from mashup_worker.analysis.onsets import Onsets

_FEWEST_CLICKS = 8
_QUIETEST_CLICK = 0.15
_MIN_INTERVAL_FRAMES = 10
_RISE_FRAMES, _DECAY_FRAMES = 4, 15
_LOUDEST_REST = 0.04
"""Mean level between clicks, as a share of their own."""

_LOWEST_CENTROID_OCTAVES = 7.8
"""About 220 Hz, above those of kick drums."""

_STRAY_FRAMES = 1.5
_LEAST_CONTRAST = 3.0
_LEAST_SPREAD = 0.03
_SAME_INTERVAL, _SAME_PLACE = 0.02, 0.15


@dataclass(frozen=True, eq=False)
class Clicks:
    """Clicks of a click track.

    Attributes:
        frames: positions of the clicks, evenly spaced.
        beats_per_bar: distance of the accented clicks; None if all clicks are alike.
        first: index of the first accented click.
    """

    frames: Array
    beats_per_bar: int | None
    first: int

    def agree(self, meters: Sequence[Meter], pulse: Array) -> Array:
        """Return which meters have a beat at each click only, and bars where the accents are.

        If the accents agree with none of them, bars do not count.

        Args:
            meters: meters over a pulse.
            pulse: instants of the pulse in frames, rising.
        """
        interval = float(np.median(np.diff(self.frames)))
        beats, bars = np.zeros((2, len(meters)), dtype=bool)
        for i, meter in enumerate(meters):
            grid = instants(pulse, meter.beats.offset + np.arange(3) * meter.beats.level)
            place = (grid[0] - self.frames[0]) / interval
            beats[i] = (
                abs((grid[2] - grid[0]) / 2 / interval - 1) < _SAME_INTERVAL
                and abs(place - round(place)) < _SAME_PLACE
            )
            bars[i] = (
                meter.beats_per_bar == self.beats_per_bar
                and (round(place) + meter.first - self.first) % meter.beats_per_bar == 0
            )
        both = beats & bars
        return np.asarray(both if both.any() else beats)


def find_clicks(onsets: Onsets) -> Clicks | None:
    """Find the clicks of a click track; return None for all other sound.

    Args:
        onsets: onsets without batch axes.
    """
    levels = onsets.levels.cpu().double().numpy()
    peaks = _peaks(levels)
    if len(peaks) < _FEWEST_CLICKS:
        return None
    centroids = onsets.centroids.cpu().double().numpy()[peaks]
    if centroids.min() < _LOWEST_CENTROID_OCTAVES or not _is_silent_between(levels, peaks):
        return None
    interval = (peaks[-1] - peaks[0]) / (len(peaks) - 1)
    even = peaks[0] + np.arange(len(peaks)) * interval
    even += np.median(peaks - even)
    if np.abs(peaks - even).max() > _STRAY_FRAMES:
        return None
    length, first = _accents(np.stack([np.log2(levels[peaks]), centroids]))
    return Clicks(even, length, first)


def _peaks(levels: Array) -> Indices:
    """Return the loudest frame of each click."""
    before, after = np.pad(levels, (1, 0))[:-1], np.pad(levels, (0, 1))[1:]
    loud = levels > _QUIETEST_CLICK * np.percentile(levels, 99.5)
    found = np.flatnonzero((levels > before) & (levels >= after) & loud)
    kept: list[int] = []
    for peak in found:
        if not kept or peak - kept[-1] >= _MIN_INTERVAL_FRAMES:
            kept.append(int(peak))
        elif levels[peak] > levels[kept[-1]]:
            kept[-1] = int(peak)
    return np.array(kept, dtype=np.int64)


def _is_silent_between(levels: Array, peaks: Indices) -> bool:
    interval = float(np.median(np.diff(peaks)))
    after = min(_DECAY_FRAMES, int(0.4 * interval))
    rest = np.ones(len(levels), dtype=bool)
    for peak in peaks:
        rest[max(0, peak - _RISE_FRAMES) : peak + after] = False
    if not rest.any():
        return False
    return bool(levels[rest].mean() < _LOUDEST_REST * np.median(levels[peaks]))


def _accents(clicks: Array) -> tuple[int | None, int]:
    """Return the distance of the clicks that differ from all others, and the first of them.

    Args:
        clicks: logarithms of level and pitch, shape `(2, clicks)`.
    """
    best = _LEAST_CONTRAST
    found: tuple[int | None, int] = (None, 0)
    for length in BEATS_PER_BAR:
        for first in range(length):
            accented = np.arange(clicks.shape[1]) % length == first
            one, other = clicks[:, accented], clicks[:, ~accented]
            if min(one.shape[1], other.shape[1]) < 2:
                continue
            spread = np.sqrt((one.var(axis=1) + other.var(axis=1)) / 2) + _LEAST_SPREAD
            contrast = (one.mean(axis=1) - other.mean(axis=1)) / spread
            # In bars of two, the louder or higher click is the accent.
            if length == 2 and contrast.sum() < 0:
                continue
            if np.hypot(*contrast) > best:
                best, found = float(np.hypot(*contrast)), (length, first)
    return found
