"""Measurements of timing: lags of stems against the grid, tempo, beats and bars."""

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
    from mashup_worker.analysis.result import Analysis
    from mashup_worker.mixing.measures.attacks import Attacks
    from mashup_worker.mixing.measures.beats import BeatGrid

MAX_LAG_MS, MAX_P95_LAG_MS, MAX_DRIFT_MS = 10.0, 20.0, 10.0
MAX_TEMPO_ERROR_BPM = 0.02
MAX_BEAT_DISTANCE_MS = 20.0
MIN_ATTACKS = 8

MIX = "mix"
"""Kind of the whole mix where stems are missing."""

_NEAR_S = 0.040
_FREE_SCATTER_S = 0.015
_DRUMMER_SCATTER_S = 0.015
"""A third of that of random strokes at 85 BPM, half at 125 BPM."""

_DRIFT_S = 30.0
_TEMPO_RANGE = 0.015
_HARMONICS = 1, 2, 4
_MAX_SCANNED = 2_000
_MIN_CONFIDENCE = 0.7
_SAME_LEVEL = 0.03


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
        near = np.abs(stem.lags_s) <= _NEAR_S
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


@dataclass(frozen=True)
class TempoFit:
    """Tempo measured from attacks; `error_bpm` is two standard errors."""

    tempo_bpm: float
    error_bpm: float


def fit_tempo(stems: Sequence[StemTiming], grid: BeatGrid) -> TempoFit | None:
    """Measure the tempo of attacks near that of a grid; None without 8 attacks on it.

    A Fourier sum over the strong attacks, at beats, eighths and sixteenths, finds the tempo with
    the highest coherence within 1.5 % of the grid's. A linear regression of the lags over time,
    with a delay for each stem, refines it. So it does with the grid's own tempo; the fit with the
    smaller lags is returned.
    """
    used = [stem for stem in stems if not stem.is_free and len(stem.lags_s) >= MIN_ATTACKS]
    if not used:
        return None
    times_s = [stem.attacks.strong.times_s for stem in used]
    positions = [stem.grid.positions(one) for stem, one in zip(used, times_s, strict=True)]
    beats_s = [stem.grid.beat_s_at(one) for stem, one in zip(used, times_s, strict=True)]
    subdivisions = [stem.subdivision for stem in used]
    # Few attacks can be as coherent at another tempo, at which their lags are larger.
    fits = [
        _regressed_factor(positions, subdivisions, start, beats_s)
        for start in (1.0, _coherent_factor(np.concatenate(positions)))
    ]
    factor, error = min(
        fits, key=lambda fit: _median_lag_s(positions, subdivisions, fit[0], beats_s)
    )
    return TempoFit(factor * grid.tempo_bpm, 2 * error * grid.tempo_bpm)


def _coherent_factor(positions: Array) -> float:
    """Return the ratio of the attacks' tempo to the grid's with the highest coherence."""
    every = -(-len(positions) // _MAX_SCANNED)
    positions = positions[::every]
    length = max(1.0, float(np.ptp(positions)))
    # A step shifts the last attack by an eighth of a sixteenth.
    step = 1 / (8 * max(_HARMONICS) * length)
    count = int(_TEMPO_RANGE / step)
    factors = 1 + step * np.arange(-count, count + 1)
    phases = np.exp(2j * np.pi * np.outer(factors, positions - positions.mean()))
    coherence = sum(np.abs((phases**harmonic).mean(axis=1)) for harmonic in _HARMONICS)
    return float(factors[int(np.argmax(coherence))])


def _median_lag_s(
    positions: Sequence[Array],
    subdivisions: Sequence[Subdivision],
    factor: float,
    beats_s: Sequence[Array],
) -> float:
    """Return the median distance of attacks from notes at a tempo, without delays of stems."""
    lags = [
        subdivision.lags_s(factor * own, beat_s)
        for own, subdivision, beat_s in zip(positions, subdivisions, beats_s, strict=True)
    ]
    return float(np.median(np.concatenate([np.abs(one - np.median(one)) for one in lags])))


def _regressed_factor(
    positions: Sequence[Array],
    subdivisions: Sequence[Subdivision],
    factor: float,
    beats_s: Sequence[Array],
) -> tuple[float, float]:
    error = np.inf
    for _ in range(3):
        x, y = [], []
        for own, subdivision, beat_s in zip(positions, subdivisions, beats_s, strict=True):
            delay_s = float(np.median(subdivision.lags_s(factor * own, beat_s)))
            lags = subdivision.lags_s(factor * own - delay_s / beat_s, beat_s) / beat_s
            middle = np.median(np.abs(lags))
            kept = np.abs(lags) <= np.minimum(_NEAR_S / beat_s, 4 * middle + 1e-4)
            if kept.any():
                x.append(own[kept] - own[kept].mean())
                y.append(lags[kept] - lags[kept].mean())
        across, along = np.concatenate(x), np.concatenate(y)
        power = float(np.square(across).sum())
        if power == 0 or len(across) < MIN_ATTACKS:
            break
        slope = float((across * along).sum()) / power
        residual = along - slope * across
        error = float(np.sqrt(np.square(residual).sum() / (len(residual) - 2) / power))
        factor -= slope
    return factor, error


def measure_tempo(
    fit: TempoFit | None, wanted_bpm: float | None, analysis: Analysis | None, place: str = ""
) -> Measurement:
    """Judge the tempo of the mix, or of a place in it: within 0.02 BPM of the plan.

    It is not judged where the attacks leave a larger uncertainty, as in short mixes. The tempo of
    the analysis is reported for comparison.
    """
    name = f"tempo{place}"
    detected = analysis.tempo_bpm if analysis else None
    if fit is None:
        detail = "" if detected else "too few attacks"
        return Measurement(name, detected, "BPM", detail=detail)
    detail = f"± {fit.error_bpm:.3f} by the attacks"
    if detected:
        detail += f"; analysis of the mix {detected:.2f}"
    if wanted_bpm is None:
        return Measurement(name, fit.tempo_bpm, "BPM", detail=detail)
    off = abs(fit.tempo_bpm - wanted_bpm)
    sure = fit.error_bpm <= MAX_TEMPO_ERROR_BPM or off > MAX_TEMPO_ERROR_BPM + fit.error_bpm
    wanted = f"{wanted_bpm:.3f} ± {MAX_TEMPO_ERROR_BPM:g}"
    passed = off <= MAX_TEMPO_ERROR_BPM if sure else None
    return Measurement(name, fit.tempo_bpm, "BPM", wanted=wanted, passed=passed, detail=detail)


def measure_beats(
    analysis: Analysis | None, grid: BeatGrid, place: str = ""
) -> tuple[Measurement, ...]:
    """Judge whether an analysis of the mix, or of a place in it, finds the planned beats and bars.

    The median distance of its beats from the nearest planned ones is 20 ms at most, and its bars
    begin on the same beat. Beats are not judged where their own confidence is below 70 %, bars
    where that of the bars is, and neither at another metrical level, such as half the tempo.
    """
    name, wanted = f"beats detected{place}", f"<= {MAX_BEAT_DISTANCE_MS:g} ms"
    if analysis is None or analysis.tempo_bpm is None or not analysis.downbeats_s:
        return (Measurement(name, None, "ms", wanted=wanted, detail="the analysis found no beats"),)
    is_sure = analysis.beat_confidence >= _MIN_CONFIDENCE
    detail = f"confidence {analysis.beat_confidence:.2f}"
    if abs(analysis.tempo_bpm / grid.tempo_bpm - 1) > _SAME_LEVEL:
        detail += f"; another level, {analysis.tempo_bpm:.2f} BPM"
        return (Measurement(name, None, "ms", wanted=wanted, detail=detail),)
    positions = grid.positions(np.array(analysis.beats_s))
    lags_s = Subdivision("beats", (0.0,)).lags_s(positions, grid.beat_s)
    distance_ms = 1e3 * float(np.median(np.abs(lags_s)))
    passed = distance_ms <= MAX_BEAT_DISTANCE_MS if is_sure else None
    beats = Measurement(name, distance_ms, "ms", wanted=wanted, passed=passed, detail=detail)
    downbeats = np.round(grid.positions(np.array(analysis.downbeats_s)))
    counts = np.bincount(np.mod(downbeats, grid.beats_per_bar).astype(int))
    beat = int(counts.argmax()) + 1
    same_meter = analysis.beats_per_bar == grid.beats_per_bar
    are_sure = same_meter and is_sure and analysis.bar_confidence >= _MIN_CONFIDENCE
    passed = beat == 1 if are_sure else None
    bars = Measurement(
        f"downbeats detected{place} on beat",
        float(beat),
        "",
        wanted="1",
        passed=passed,
        detail=detail,
    )
    return beats, bars


def heard_offset_beats(analysis: Analysis, grid: BeatGrid, found: Sequence[Measurement]) -> float:
    """Return how many beats later than planned beats and bars are heard, 0 where neither fails."""
    failed = [one.passed is False for one in found]
    if not any(failed):
        return 0.0
    positions = grid.positions(np.array(analysis.beats_s))
    # The median of an angle, since beats may lie half a beat off on either side.
    turns = np.exp(2j * np.pi * positions).mean()
    offset = float(np.angle(turns)) / (2 * np.pi)
    if not failed[-1]:
        return offset
    downbeats = np.mod(
        np.round(grid.positions(np.array(analysis.downbeats_s)) - offset), grid.beats_per_bar
    )
    beat = int(np.bincount(downbeats.astype(int)).argmax())
    return offset + (beat if beat <= grid.beats_per_bar / 2 else beat - grid.beats_per_bar)


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
