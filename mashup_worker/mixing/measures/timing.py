"""Measurements of timing: lags of stems against the grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mashup_worker.mixing.measures.beats import STRAIGHT, Subdivision, find_subdivision
from mashup_worker.mixing.measures.report import Measurement
from mashup_worker.mixing.song import DRUMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.analysis.arrays import Array
    from mashup_worker.mixing.measures.attacks import Attacks
    from mashup_worker.mixing.measures.beats import BeatGrid

MAX_LAG_MS, MAX_P95_LAG_MS, MAX_DRIFT_MS = 10.0, 20.0, 10.0
MIN_ATTACKS = 8
NEAR_S = 0.040
"""Lag above which an attack is no stroke on the grid, such as a flam or a grace note."""

MIX = "mix"
"""Kind of the whole mix where stems are missing."""

_FREE_SCATTER_S = 0.015
_DRUMMER_SCATTER_S = 0.015
"""A third of that of random strokes at 85 BPM, half at 125 BPM."""

_DRIFT_S = 30.0


@dataclass(frozen=True, eq=False, kw_only=True)
class StemTiming:
    """Attacks of a stem, the bar of each, and their lags against a grid; shapes `(attacks,)`."""

    name: str
    kind: str
    attacks: Attacks
    lags_s: Array
    bars: Array
    subdivision: Subdivision
    grid: BeatGrid

    def between(self, start_s: float, stop_s: float) -> StemTiming:
        """Return the timing of the attacks between two times."""
        times_s = self.attacks.times_s
        inside = (times_s >= start_s) & (times_s < stop_s)
        return replace(
            self,
            attacks=self.attacks.where(inside),
            lags_s=self.lags_s[inside],
            bars=self.bars[inside],
        )

    @property
    def is_free(self) -> bool:
        """Whether it does not follow the grid, as in free singing; drums always do.

        The median difference of consecutive lags is then above 15 ms, a standard deviation of 16
        ms.
        """
        if self.kind == DRUMS or len(self.lags_s) < 2:
            return False
        return bool(np.median(np.abs(np.diff(self.lags_s))) > _FREE_SCATTER_S)


def stem_timing(
    name: str, kind: str, attacks: Attacks, *, grid: BeatGrid, subdivision: Subdivision = STRAIGHT
) -> StemTiming:
    """Measure the lags of attacks against a grid."""
    times_s = attacks.times_s
    lags_s = subdivision.lags_s(grid.positions(times_s), grid.beat_s_at(times_s))
    return StemTiming(
        name=name,
        kind=kind,
        attacks=attacks,
        lags_s=lags_s,
        bars=grid.bars(times_s),
        subdivision=subdivision,
        grid=grid,
    )


def song_subdivision(attacks: Sequence[Attacks], grid: BeatGrid) -> Subdivision:
    """Return the subdivision of beats in a song, from the strong attacks of all its stems."""
    times = np.concatenate([one.strong.times_s for one in attacks]) if attacks else np.zeros(0)
    return find_subdivision(times, grid)


def measure_lags(stem: StemTiming, *, has_source: bool = False) -> tuple[Measurement, ...]:
    """Measure a stem's lag against the grid: median, 95th percentile and drift.

    - Median of the absolute lags: 10 ms at most.
    - 95th percentile of the absolute lags: 20 ms at most. It excludes intended deviations. Of drums
      it excludes the softer half of the strokes, and lags above 40 ms, such as flams and grace
      notes. Of other kinds it is taken over the medians of every two bars, weighted by attacks.
    - Drift, the median lag of the last 30 s less that of the first, or of halves of shorter stems:
      10 ms at most.

    Fewer than 8 attacks, and stems that do not follow the grid, are not judged. Where the source
    of a stem `has_source` known, it is judged by its change of timing instead, and drums by their
    median and drift, too, since they define the grid of their song. The scatter of these strokes
    is the drummer's: up to 15 ms of it (median absolute deviation), the lag is how late their
    median is.
    """
    count = len(stem.lags_s)
    names = [f"{stem.name}: {quantity}" for quantity in ("lag", "lag p95", "drift")]
    limits_ms = MAX_LAG_MS, MAX_P95_LAG_MS, MAX_DRIFT_MS
    wanted = [f"<= {limit_ms:g} ms" for limit_ms in limits_ms]
    if count < MIN_ATTACKS:
        reason = f"{count} clear attacks, {MIN_ATTACKS} needed"
        return tuple(
            Measurement(name, None, "ms", wanted=want, detail=reason)
            for name, want in zip(names, wanted, strict=True)
        )
    values = (
        1e3 * _lag_s(stem, has_source=has_source),
        1e3 * _p95_s(stem),
        1e3 * abs(drift_s(stem.attacks.times_s, stem.lags_s)),
    )
    side = "late" if np.median(stem.lags_s) > 0 else "early"
    free = "free of the grid" if stem.is_free else ""
    details = free or f"{side}; {count} attacks on {stem.subdivision.name}", free, free
    judged = [not stem.is_free and (not has_source or stem.kind == DRUMS)] * 3
    judged[1] = judged[1] and not has_source
    return tuple(
        Measurement(
            name,
            value,
            "ms",
            wanted=want,
            passed=value <= limit if is_judged else None,
            detail=detail,
        )
        for name, value, want, limit, detail, is_judged in zip(
            names, values, wanted, limits_ms, details, judged, strict=True
        )
    )


def _lag_s(stem: StemTiming, *, has_source: bool) -> float:
    late_s = float(np.median(stem.lags_s))
    scatter_s = float(np.median(np.abs(stem.lags_s - late_s)))
    if has_source and stem.kind == DRUMS and scatter_s <= _DRUMMER_SCATTER_S:
        return abs(late_s)
    return float(np.median(np.abs(stem.lags_s)))


def _p95_s(stem: StemTiming) -> float:
    if stem.kind in (DRUMS, MIX):
        strong = stem.attacks.strengths >= np.median(stem.attacks.strengths)
        near = np.abs(stem.lags_s) <= NEAR_S
        lags_s = stem.lags_s[strong & near] if (strong & near).any() else stem.lags_s
    else:
        pairs, inside, counts = np.unique(stem.bars // 2, return_inverse=True, return_counts=True)
        medians_s = [np.median(stem.lags_s[inside == pair]) for pair in range(len(pairs))]
        # Weighting by attacks discounts bars with a single one, as in a fade-out.
        lags_s = np.repeat(medians_s, counts)
    return float(np.percentile(np.abs(lags_s), 95))


def drift_s(times_s: Array, lags_s: Array) -> float:
    """Return the median lag of the last 30 s less that of the first, or of halves."""
    reach_s = min(_DRIFT_S, (times_s[-1] - times_s[0]) / 2)
    first = lags_s[times_s <= times_s[0] + reach_s]
    last = lags_s[times_s >= times_s[-1] - reach_s]
    return float(np.median(last) - np.median(first))


def align_to_attacks(grid: BeatGrid, attacks: Attacks) -> BeatGrid:
    """Shift detected beats by the median lag of a stem.

    Without a plan, stems can be compared with each other only, and beats detected in a mix are some
    milliseconds off.
    """
    if len(attacks) < MIN_ATTACKS:
        return grid
    times_s = attacks.times_s
    lags_s = STRAIGHT.lags_s(grid.positions(times_s), grid.beat_s_at(times_s))
    return grid.shifted(float(np.median(lags_s)))
