"""Lags, drift, tempo and beats of synthetic stems."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mashup_worker.analysis.result import Analysis
from mashup_worker.mixing.measures.attacks import Attacks
from mashup_worker.mixing.measures.beats import STRAIGHT, BeatGrid, find_subdivision
from mashup_worker.mixing.measures.heard_beats import measure_beats
from mashup_worker.mixing.measures.tempo import fit_tempo, measure_tempo
from mashup_worker.mixing.measures.timing import (
    align_to_attacks,
    measure_lags,
    song_subdivision,
    stem_timing,
)

if TYPE_CHECKING:
    from mashup_worker.mixing.measures.report import Measurement

TEMPO_BPM = 124.0
BEAT_S = 60 / TEMPO_BPM


def grid(bars: int = 32) -> BeatGrid:
    return BeatGrid(np.arange(4 * bars + 1) * BEAT_S, 4)


def attacks(
    bars: int = 32,
    offsets: tuple[float, ...] = (0.0, 0.5),
    *,
    jitter_s: float = 0.003,
    rate: float = 1.0,
    later_s: float = 0.0,
) -> Attacks:
    """Return strokes at offsets in every beat, with jitter."""
    beats = np.add.outer(np.arange(4 * bars), np.array(offsets)).ravel()
    random = np.random.default_rng(7)
    times = beats * BEAT_S * rate + later_s + jitter_s * random.standard_normal(len(beats))
    times = np.sort(np.maximum(times, 0.0))
    return Attacks(times, random.uniform(0.5, 1.0, len(times)))


def measured(strokes: Attacks, kind: str = "drums", bars: int = 32) -> tuple[Measurement, ...]:
    subdivision = song_subdivision([strokes], grid(bars))
    return measure_lags(
        stem_timing("one/it", kind, strokes, grid=grid(bars), subdivision=subdivision)
    )


def verdicts(found: tuple[Measurement, ...]) -> list[bool | None]:
    return [one.passed for one in found]


@pytest.mark.parametrize("kind", ["drums", "bass", "vocals"])
def test_a_stem_on_the_grid_passes(kind: str) -> None:
    found = measured(attacks(), kind)
    assert [one.name for one in found] == ["one/it: lag", "one/it: lag p95", "one/it: drift"]
    assert verdicts(found) == [True, True, True]


@pytest.mark.parametrize("kind", ["drums", "bass", "vocals"])
@pytest.mark.parametrize("shift_s", [0.025, -0.025, 0.06])
def test_a_shifted_stem_fails(kind: str, shift_s: float) -> None:
    found = measured(attacks(later_s=shift_s), kind)
    assert found[0].passed is False
    assert found[0].value == pytest.approx(1e3 * abs(shift_s), abs=5)
    if abs(shift_s) < 0.03:  # half a sixteenth late is half a sixteenth early
        assert found[0].detail.startswith("late" if shift_s > 0 else "early")


def test_a_stem_that_drifts_fails() -> None:
    """25 ms over a minute, and the middle in place."""
    found = measured(attacks(rate=1 + 0.025 / 62, later_s=-0.0125))
    assert verdicts(found) == [True, True, False]
    assert found[2].value == pytest.approx(12.5, abs=2)


def test_a_stem_that_drifts_far_fails() -> None:
    assert False in verdicts(measured(attacks(rate=1.002)))


def test_a_few_misplaced_bars_fail() -> None:
    """Two of sixteen bars begin 35 ms late, which leaves the median unchanged."""
    strokes = attacks(16)
    wrong = (strokes.times_s > 16 * BEAT_S) & (strokes.times_s < 24 * BEAT_S)
    shifted = Attacks(np.where(wrong, strokes.times_s + 0.035, strokes.times_s), strokes.strengths)
    for kind in ("drums", "bass"):
        found = measured(shifted, kind, 16)
        assert verdicts(found)[:2] == [True, False]


def test_human_jitter_passes() -> None:
    assert verdicts(measured(attacks(jitter_s=0.008))) == [True, True, True]
    assert verdicts(measured(attacks(jitter_s=0.011), "other")) == [True, True, True]


def test_soft_strokes_do_not_count() -> None:
    strokes = attacks()
    soft = np.arange(len(strokes)) % 8 == 3
    late = Attacks(
        strokes.times_s + np.where(soft, 0.03, 0.0), np.where(soft, 0.1, strokes.strengths)
    )
    assert verdicts(measured(late)) == [True, True, True]
    assert measured(replace(late, strengths=np.where(soft, 2.0, 1.0)))[1].passed is False


@pytest.mark.parametrize("kind", ["vocals", "other"])
def test_stems_that_do_not_follow_the_grid_are_not_judged(kind: str) -> None:
    found = measured(attacks(jitter_s=0.05), kind)
    assert verdicts(found) == [None, None, None]
    assert "free" in found[0].detail


def test_drums_are_always_judged() -> None:
    assert measured(attacks(jitter_s=0.05), "drums")[0].passed is False


@pytest.mark.parametrize(
    ("jitter_s", "later_s", "passes"),
    [(0.018, 0.0, True), (0.018, 0.016, False), (0.018, -0.016, False), (0.05, 0.0, False)],
)
def test_the_scatter_of_a_known_drummer_is_no_lag(
    jitter_s: float, later_s: float, passes: bool
) -> None:
    strokes = attacks(jitter_s=jitter_s, later_s=later_s)
    stem = stem_timing("a/drums", "drums", strokes, grid=grid())
    assert measure_lags(stem, has_source=True)[0].passed is passes
    assert measure_lags(stem)[0].passed is False


def test_too_few_attacks_are_not_judged() -> None:
    found = measured(attacks(1, (0.0,), later_s=0.02))
    assert verdicts(found) == [None, None, None]
    assert "4 clear attacks" in found[0].detail
    assert verdicts(measured(Attacks.none())) == [None, None, None]


@pytest.mark.parametrize(
    ("offsets", "name"),
    [
        ((0.0, 0.25, 0.5, 0.75), "sixteenths"),
        ((0.0, 0.5), "sixteenths"),
        ((0.0, 1 / 3, 2 / 3), "triplets"),
        ((0.0, 0.3, 0.5, 0.8), "sixteenths swung 60 %"),
        ((0.0, 0.62), "eighths swung 62 %"),
    ],
)
def test_swing_does_not_count_as_lag(offsets: tuple[float, ...], name: str) -> None:
    strokes = attacks(offsets=offsets, jitter_s=0.001)
    subdivision = find_subdivision(strokes.times_s, grid())
    assert subdivision.name == name
    assert verdicts(measured(strokes)) == [True, True, True]
    late = attacks(offsets=offsets, jitter_s=0.001, later_s=0.025)
    assert measured(late)[0].passed is False


def test_no_attacks_have_straight_subdivision() -> None:
    assert find_subdivision(np.zeros(0), grid()) is STRAIGHT


@pytest.mark.parametrize("off_bpm", [0.0, 0.05, -0.05, 0.4, -1.0])
def test_tempo_is_found_to_a_hundredth(off_bpm: float) -> None:
    strokes = attacks(64, rate=TEMPO_BPM / (TEMPO_BPM + off_bpm))
    fit = fit_tempo([stem_timing("a/drums", "drums", strokes, grid=grid(64))], grid(64))
    assert fit is not None
    assert fit.tempo_bpm == pytest.approx(TEMPO_BPM + off_bpm, abs=0.01)
    assert measure_tempo(fit, TEMPO_BPM, None).passed is (off_bpm == 0)


def test_constant_delays_of_stems_do_not_change_the_tempo() -> None:
    """Soft attacks of a bass are detected 9 ms late throughout."""
    bass = attacks(64, later_s=0.009)
    bass = bass.where(bass.times_s > 60)
    stems = [
        stem_timing("a/drums", "drums", attacks(64).where(attacks(64).times_s < 70), grid=grid(64))
    ]
    stems.append(stem_timing("a/bass", "bass", bass, grid=grid(64)))
    fit = fit_tempo(stems, grid(64))
    assert fit is not None
    assert fit.tempo_bpm == pytest.approx(TEMPO_BPM, abs=0.01)


def test_the_tempo_of_a_short_stem_is_not_judged() -> None:
    strokes = attacks(2, jitter_s=0.01)
    fit = fit_tempo([stem_timing("a/drums", "drums", strokes, grid=grid(2))], grid(2))
    assert fit is not None
    assert fit.error_bpm > 0.02
    assert measure_tempo(fit, fit.tempo_bpm, None).passed is None


def test_without_attacks_the_tempo_of_the_analysis_is_reported() -> None:
    assert fit_tempo([stem_timing("a/drums", "drums", Attacks.none(), grid=grid())], grid()) is None
    assert measure_tempo(None, TEMPO_BPM, None).passed is None
    assert measure_tempo(None, TEMPO_BPM, Analysis(60.0, tempo_bpm=123.5)).value == 123.5


def detected(
    shift_s: float = 0.0, first_beat: int = 0, every: int = 1, sure: float = 0.9
) -> Analysis:
    beats = np.arange(0, 64, every) * BEAT_S + shift_s
    return Analysis(
        35.0,
        tempo_bpm=TEMPO_BPM / every,
        tempo_confidence=sure,
        beat_confidence=sure,
        bar_confidence=sure,
        beats_s=tuple(beats),
        downbeats_s=tuple(beats[first_beat::4]),
        beats_per_bar=4,
    )


def test_beats_detected_at_the_planned_times_pass() -> None:
    assert verdicts(measure_beats(detected(0.004), grid())) == [True, True]


def test_beats_detected_elsewhere_fail() -> None:
    assert measure_beats(detected(0.03), grid())[0].passed is False
    beats, bars = measure_beats(detected(first_beat=2), grid())
    assert (beats.passed, bars.passed, bars.value) == (True, False, 3.0)


def test_an_uncertain_analysis_is_not_judged() -> None:
    assert verdicts(measure_beats(detected(0.03, sure=0.2), grid())) == [None, None]
    (half,) = measure_beats(detected(every=2), grid())
    assert half.passed is None
    assert "62.00 BPM" in half.detail
    assert verdicts(measure_beats(None, grid())) == [None]
    assert verdicts(measure_beats(Analysis(3.0), grid())) == [None]


def test_detected_beats_are_aligned_to_attacks() -> None:
    aligned = align_to_attacks(grid().shifted(-0.012), attacks(jitter_s=0.001))
    assert aligned.beats_s[0] == pytest.approx(0.0, abs=1e-3)
    assert align_to_attacks(grid(), Attacks.none()).beats_s[0] == 0


def test_positions_follow_a_variable_tempo() -> None:
    beats = np.cumsum(np.linspace(0.45, 0.55, 64))
    own = BeatGrid(beats, 4)
    assert own.positions(beats) == pytest.approx(np.arange(64))
    between = (beats[:-1] + beats[1:]) / 2
    assert own.positions(between) == pytest.approx(np.arange(63) + 0.5)
    outside = np.array([beats[0] - 0.9, beats[-1] + 1.1])
    assert own.positions(outside) == pytest.approx([-2, 65], abs=0.05)
    assert own.bars(beats[[0, 3, 4]] - 0.001).tolist() == [0, 0, 1]
    analyzed = Analysis(60.0, tempo_bpm=120, beats_s=tuple(beats), beats_per_bar=4)
    late = BeatGrid.of_analysis(replace(analyzed, downbeats_s=(beats[2],)))
    assert late is not None
    assert late.positions(beats[2:3])[0] == 0
    assert BeatGrid.of_analysis(Analysis(3.0)) is None
