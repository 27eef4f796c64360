"""Whether stems keep to the grid, at the tempo and with the bars that were planned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mashup_worker.mixing.measures.beats import STRAIGHT, Feel, feel_of
from mashup_worker.mixing.measures.report import Measurement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.analysis.arrays import Array
    from mashup_worker.analysis.result import Analysis
    from mashup_worker.mixing.measures.attacks import Attacks
    from mashup_worker.mixing.measures.beats import BeatGrid

MOST_LAG_MS, MOST_P95_LAG_MS, MOST_DRIFT_MS = 10.0, 20.0, 10.0
MOST_TEMPO_ERROR_BPM = 0.02
MOST_BEAT_DISTANCE_MS = 20.0
FEWEST_ATTACKS = 8

MIX = "mix"
"""The kind of what is no stem but all of them together."""

_NEAR_S = 0.040
_FREE_SCATTER_S = 0.015
_DRIFT_S = 30.0
_TEMPO_RANGE = 0.015
_HARMONICS = 1, 2, 4
_MOST_SCANNED = 2_000
_SURE = 0.7
_SAME_LEVEL = 0.03


@dataclass(frozen=True, eq=False)
class Played:
    """A stem's attacks beside the places where they belong.

    Attributes:
        name: the stem.
        kind: its kind.
        attacks: its clear attacks.
        lags_s: how much later than the nearest place each is; shape `(attacks,)`.
        bars: the bar of each, same shape.
        feel: how the beats of its song are divided.
    """

    name: str
    kind: str
    attacks: Attacks
    lags_s: Array
    bars: Array
    feel: Feel

    @property
    def is_free(self) -> bool:
        """Whether one attack tells nothing of the next, as in a voice that follows no clock.

        Half of the neighbours then differ by more than 15 ms, as at a spread of 16 ms. Drums are
        never free.
        """
        if self.kind == "drums" or len(self.lags_s) < 2:
            return False
        return bool(np.median(np.abs(np.diff(self.lags_s))) > _FREE_SCATTER_S)


def played(name: str, kind: str, attacks: Attacks, grid: BeatGrid, feel: Feel = STRAIGHT) -> Played:
    """Attacks measured by a grid."""
    lags = feel.lags_s(grid.positions(attacks.times_s), grid.beat_s)
    return Played(name, kind, attacks, lags, grid.bars(attacks.times_s), feel)


def song_feel(attacks: Sequence[Attacks], grid: BeatGrid) -> Feel:
    """How the beats of a song are divided, by the strong attacks of all its stems."""
    times = np.concatenate([part.strong.times_s for part in attacks]) if attacks else np.zeros(0)
    return feel_of(times, grid)


def lags(stem: Played) -> tuple[Measurement, ...]:
    """How well a stem keeps to the grid: median lag, 95th percentile, and drift.

    The lag of an attack is its distance from the nearest place of the song's division of beats
    (sixteenths, triplets, or swung). Wanted: a median of 10 ms or less, and a 95th percentile of
    20 ms or less. Players are off the grid on purpose, so the percentile leaves out the softer half
    of drum strokes, and whatever lies more than 40 ms from any place, as flams and grace notes do;
    for other kinds it is taken over the medians of every two bars, each as often as these have
    attacks. The drift, 10 ms or less, is the median lag of the last 30 s of attacks less that of
    the first, or of the halves of what is shorter.

    Nothing is judged below 8 attacks, or where a voice or an instrument keeps to no grid at all.
    """
    count = len(stem.lags_s)
    names = [f"{stem.name}: {what}" for what in ("lag", "lag p95", "drift")]
    limits_ms = MOST_LAG_MS, MOST_P95_LAG_MS, MOST_DRIFT_MS
    wanted = [f"<= {limit_ms:g} ms" for limit_ms in limits_ms]
    free = "free of the grid: not judged" if stem.is_free else ""
    if count < FEWEST_ATTACKS:
        why = f"{count} clear attacks, {FEWEST_ATTACKS} needed"
        return tuple(
            Measurement(name, None, "ms", want, detail=why)
            for name, want in zip(names, wanted, strict=True)
        )
    values = (
        1e3 * float(np.median(np.abs(stem.lags_s))),
        1e3 * _p95_s(stem),
        1e3 * abs(_drift_s(stem)),
    )
    side = "late" if np.median(stem.lags_s) > 0 else "early"
    details = free or f"{side}; {count} attacks on {stem.feel.name}", free, free
    return tuple(
        Measurement(name, value, "ms", want, None if stem.is_free else value <= limit, detail)
        for name, value, want, limit, detail in zip(
            names, values, wanted, limits_ms, details, strict=True
        )
    )


def _p95_s(stem: Played) -> float:
    if stem.kind in ("drums", MIX):
        strong = stem.attacks.strengths >= np.median(stem.attacks.strengths)
        near = np.abs(stem.lags_s) <= _NEAR_S
        lags_s = stem.lags_s[strong & near] if (strong & near).any() else stem.lags_s
    else:
        pairs, inside, counts = np.unique(stem.bars // 2, return_inverse=True, return_counts=True)
        medians_s = [np.median(stem.lags_s[inside == pair]) for pair in range(len(pairs))]
        # A lone attack, as of what fades away, tells little of its bars.
        lags_s = np.repeat(medians_s, counts)
    return float(np.percentile(np.abs(lags_s), 95))


def _drift_s(stem: Played) -> float:
    times = stem.attacks.times_s
    reach_s = min(_DRIFT_S, (times[-1] - times[0]) / 2)
    first = stem.lags_s[times <= times[0] + reach_s]
    last = stem.lags_s[times >= times[-1] - reach_s]
    return float(np.median(last) - np.median(first))


@dataclass(frozen=True)
class TempoFit:
    """A tempo from attacks.

    Attributes:
        tempo_bpm: beats a minute.
        error_bpm: what it may be off by: two standard errors.
    """

    tempo_bpm: float
    error_bpm: float


def fit_tempo(stems: Sequence[Played], grid: BeatGrid) -> TempoFit | None:
    """The tempo at which attacks are, near that of a grid; None for too few.

    A Fourier sum over the strong attacks at beats, eighths and sixteenths finds the tempo within
    1.5 % of the grid's at which they agree most; a regression of their lags over time, in which
    every stem may have a delay of its own, finds it exactly.
    """
    used = [stem for stem in stems if not stem.is_free and len(stem.lags_s) >= FEWEST_ATTACKS]
    if not used:
        return None
    positions = [grid.positions(stem.attacks.strong.times_s) for stem in used]
    factor = _coherent_factor(np.concatenate(positions))
    factor, spread = _regressed(positions, [stem.feel for stem in used], factor, grid.beat_s)
    return TempoFit(factor * grid.tempo_bpm, 2 * spread * grid.tempo_bpm)


def _coherent_factor(positions: Array) -> float:
    """How many times as fast as the grid the attacks are."""
    every = -(-len(positions) // _MOST_SCANNED)
    positions = positions[::every]
    length = max(1.0, float(np.ptp(positions)))
    # A step moves the last sixteenth by an eighth of its period.
    step = 1 / (8 * max(_HARMONICS) * length)
    count = int(_TEMPO_RANGE / step)
    factors = 1 + step * np.arange(-count, count + 1)
    phases = np.exp(2j * np.pi * np.outer(factors, positions - positions.mean()))
    agreement = sum(np.abs((phases**harmonic).mean(axis=1)) for harmonic in _HARMONICS)
    return float(factors[int(np.argmax(agreement))])


def _regressed(
    positions: Sequence[Array], feels: Sequence[Feel], factor: float, beat_s: float
) -> tuple[float, float]:
    """The exact factor, and its standard error."""
    spread = np.inf
    for _ in range(3):
        x, y = [], []
        for own, feel in zip(positions, feels, strict=True):
            lag = feel.lags_s(factor * own, beat_s)
            delay = float(np.median(lag))
            lag = feel.lags_s(factor * own - delay / beat_s, beat_s) / beat_s
            middle = np.median(np.abs(lag))
            kept = np.abs(lag) <= min(_NEAR_S / beat_s, 4 * middle + 1e-4)
            if kept.any():
                x.append(own[kept] - own[kept].mean())
                y.append(lag[kept] - lag[kept].mean())
        across, along = np.concatenate(x), np.concatenate(y)
        power = float(np.square(across).sum())
        if power == 0 or len(across) < FEWEST_ATTACKS:
            break
        slope = float((across * along).sum()) / power
        residual = along - slope * across
        spread = float(np.sqrt(np.square(residual).sum() / (len(residual) - 2) / power))
        factor -= slope
    return factor, spread


def tempo(fit: TempoFit | None, wanted_bpm: float | None, analysis: Analysis | None) -> Measurement:
    """The tempo of the result, within 0.02 BPM of what was planned.

    Not judged where the attacks leave it uncertain by more than that, as they do in short sounds.
    What the analysis of the mix says stands beside it as a second opinion.
    """
    heard = analysis.tempo_bpm if analysis else None
    opinion = f"analysis of the mix {heard:.2f}" if heard else ""
    if fit is None:
        return Measurement("tempo", heard, "BPM", detail="too few attacks" if not heard else "")
    about = f"± {fit.error_bpm:.3f} by the attacks"
    detail = f"{about}; {opinion}" if opinion else about
    if wanted_bpm is None:
        return Measurement("tempo", fit.tempo_bpm, "BPM", detail=detail)
    off = abs(fit.tempo_bpm - wanted_bpm)
    sure = fit.error_bpm <= MOST_TEMPO_ERROR_BPM or off > MOST_TEMPO_ERROR_BPM + fit.error_bpm
    wanted = f"{wanted_bpm:.3f} ± {MOST_TEMPO_ERROR_BPM:g}"
    passed = off <= MOST_TEMPO_ERROR_BPM if sure else None
    return Measurement("tempo", fit.tempo_bpm, "BPM", wanted, passed, detail)


def heard_beats(analysis: Analysis | None, grid: BeatGrid) -> tuple[Measurement, ...]:
    """Whether whoever listens hears the beats and bars that were planned.

    The median distance between the analysis' beats and the nearest planned ones is 20 ms or less,
    and its bars begin on the same beat. Not judged where the analysis is less than 70 % sure, or
    counts another level, such as half the tempo.
    """
    wanted = f"<= {MOST_BEAT_DISTANCE_MS:g} ms"
    if analysis is None or analysis.tempo_bpm is None or not analysis.downbeats_s:
        return (Measurement("beats heard", None, "ms", wanted, detail="no beats were heard"),)
    sure = analysis.tempo_confidence
    doubt = f"confidence {sure:.2f}"
    if abs(analysis.tempo_bpm / grid.tempo_bpm - 1) > _SAME_LEVEL:
        doubt += f"; another level, {analysis.tempo_bpm:.2f} BPM"
        return (Measurement("beats heard", None, "ms", wanted, detail=doubt),)
    lags_s = Feel("beats", (0.0,)).lags_s(grid.positions(np.array(analysis.beats_s)), grid.beat_s)
    distance_ms = 1e3 * float(np.median(np.abs(lags_s)))
    near = distance_ms <= MOST_BEAT_DISTANCE_MS
    beats = Measurement(
        "beats heard", distance_ms, "ms", wanted, near if sure >= _SURE else None, doubt
    )
    place = np.round(grid.positions(np.array(analysis.downbeats_s)))
    counts = np.bincount(np.mod(place, grid.beats_per_bar).astype(int))
    beat = int(counts.argmax()) + 1
    same = analysis.beats_per_bar == grid.beats_per_bar and sure >= _SURE
    return beats, Measurement(
        "bars heard from beat", float(beat), "", "1", beat == 1 if same else None, doubt
    )


def anchored(grid: BeatGrid, leader: Attacks) -> BeatGrid:
    """A heard grid moved to where a stem plays: without a plan, stems can only be compared.

    What is heard of a mix lies some milliseconds off.
    """
    if len(leader) < FEWEST_ATTACKS:
        return grid
    lags_s = STRAIGHT.lags_s(grid.positions(leader.times_s), grid.beat_s)
    return grid.later(float(np.median(lags_s)))
