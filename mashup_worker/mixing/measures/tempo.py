"""Measurement of the tempo of a mix from the attacks of its stems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mashup_worker.mixing.measures.report import Measurement
from mashup_worker.mixing.measures.timing import MIN_ATTACKS, NEAR_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.analysis.arrays import Array
    from mashup_worker.analysis.result import Analysis
    from mashup_worker.mixing.measures.beats import BeatGrid, Subdivision
    from mashup_worker.mixing.measures.timing import StemTiming

MAX_TEMPO_ERROR_BPM = 0.02

_TEMPO_RANGE = 0.015
_HARMONICS = 1, 2, 4
_MAX_SCANNED = 2_000


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
            kept = np.abs(lags) <= np.minimum(NEAR_S / beat_s, 4 * middle + 1e-4)
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
