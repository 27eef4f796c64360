"""Tempo maps: bars from before the sound to behind it, and few tempi that keep every beat."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import pytest

from mashup_worker.analysis.result import Analysis
from mashup_worker.exports.tempo_map import TempoMap
from mashup_worker.mixing.plan_grid import PlanGrid
from tests.unit.exports.songs import analysis_of, drifting_beats, steady_beats


def map_of(analysis: Analysis) -> TempoMap:
    found = TempoMap.of_analysis(analysis)
    assert found is not None
    return found


@pytest.mark.parametrize("per_bar", [3, 4, 5])
@pytest.mark.parametrize("first_s", [0.0, 0.0004, 0.3, 1.9, 7.3])
@pytest.mark.parametrize("first_downbeat", [0, 2])
def test_bar_1_begins_at_or_before_the_sound(
    per_bar: int, first_s: float, first_downbeat: int
) -> None:
    beats = steady_beats(120.0, 60.0, first_s)
    found = map_of(analysis_of(beats, 60.0, per_bar=per_bar, first_downbeat=first_downbeat))
    assert -0.5 * per_bar < found.origin_s <= 0
    assert found.beats_s[-1] >= 60.0
    assert np.diff(found.beats_s) == pytest.approx(0.5, abs=1e-3)
    assert set(np.diff(found.bars)) == {per_bar}
    downbeat_s = beats[first_downbeat]
    bar = found.nearest_bar(downbeat_s)
    assert found.bar_times_s[bar] == pytest.approx(downbeat_s, abs=1e-3)
    assert found.number_in_bar(round(found.beat_at(downbeat_s))) == 1
    assert found.bar_lengths == [(0, per_bar)]


def test_times_and_beats_are_inverse() -> None:
    found = map_of(analysis_of(drifting_beats(40.0), 40.0))
    for beat in np.linspace(-3, len(found.beats_s) + 3, 100):
        assert found.beat_at(found.time_at(float(beat))) == pytest.approx(beat, abs=1e-9)


def test_a_steady_song_has_one_tempo() -> None:
    found = map_of(analysis_of(steady_beats(127.345, 300.0, 0.2), 300.0))
    (only,) = found.segments(2e-4)
    assert only.tempo_bpm == pytest.approx(127.345, abs=1e-3)


@pytest.mark.parametrize("steady", [True, False])
@pytest.mark.parametrize("chained", [True, False])
def test_rounded_tempi_keep_every_beat(steady: bool, chained: bool) -> None:
    beats = steady_beats(127.345, 300.0, 0.2) if steady else drifting_beats(300.0)
    found = map_of(analysis_of(beats, 300.0))
    segments = found.segments(
        4e-4,
        representable=lambda bpm: round(bpm, 2),
        stamp=None if chained else lambda time_s: round(time_s, 3),
    )
    assert len(segments) < (40 if steady else len(beats) + 2)
    stops = [*[one.beat for one in segments[1:]], len(found.beats_s) - 1]
    times = [
        one.start_s + k * 60 / one.tempo_bpm
        for one, stop in zip(segments, stops, strict=True)
        for k in range(stop - one.beat)
    ]
    assert np.abs(np.array(times) - found.beats_s[:-1]).max() <= (1e-3 if not chained else 2e-3)
    if chained:
        lengths = [
            (stop - one.beat) * 60 / one.tempo_bpm
            for one, stop in zip(segments, stops, strict=True)
        ]
        starts = [found.origin_s, *accumulate(lengths, initial=found.origin_s)][1:-1]
        assert [one.start_s for one in segments] == pytest.approx(starts, abs=1e-9)


def test_a_jump_between_two_tempi_keeps_beats_regular() -> None:
    first, second = steady_beats(120.0, 20.0, 0.1), steady_beats(90.0, 40.0, 20.9)
    found = map_of(analysis_of([*first, *second], 40.0))
    steps = np.diff(found.beats_s)
    assert steps.min() > 0.25
    assert steps.max() < 1.0
    for beat_s in second:
        assert min(abs(beat_s - one) for one in found.beats_s) < 1e-9


def test_a_missing_downbeat_divides_and_an_early_one_shortens_a_bar() -> None:
    beats = steady_beats(120.0, 20.0, 0.0)
    downbeats = [beats[k] for k in (0, 4, 12, 15, 19, 28)]
    found = map_of(analysis_of(beats, 20.0, downbeats=downbeats))
    assert found.bars[:8] == (0, 4, 8, 12, 15, 19, 23, 28)
    assert found.bar_lengths == [(0, 4), (12, 3), (15, 4), (23, 5), (28, 4)]
    assert [found.bar_length(beat) for beat in (11, 13, 15, 27)] == [4, 3, 4, 5]


@pytest.mark.parametrize(("signature", "quarters"), [("4/4", 1.0), ("3/4", 1.0), ("6/8", 1.5)])
def test_compound_meters_have_longer_beats(signature: str, quarters: float) -> None:
    per_bar = {"4/4": 4, "3/4": 3, "6/8": 2}[signature]
    beats = steady_beats(100.0, 20.0, 0.0)
    found = map_of(analysis_of(beats, 20.0, per_bar=per_bar, time_signature=signature))
    assert found.quarters_per_beat == quarters
    assert f"{found.numerator}/{found.denominator}" == signature


@pytest.mark.parametrize(
    "analysis",
    [
        Analysis(3.0),
        Analysis(3.0, tempo_bpm=120.0, tempo_confidence=0.9, beats_s=(1.0,)),
        Analysis(3.0, tempo_bpm=120.0, tempo_confidence=0.0, beats_s=(1.0, 1.5)),
    ],
)
def test_songs_without_a_beat_have_no_map(analysis: Analysis) -> None:
    assert TempoMap.of_analysis(analysis) is None


def test_a_mashup_begins_with_bar_1() -> None:
    found = TempoMap.of_grid(PlanGrid(tempo_bpm=100.0, beats_per_bar=3, bars=5))
    assert found.origin_s == 0.0
    assert found.beats_s[-1] == pytest.approx(9.0)
    assert found.bars == (0, 3, 6, 9, 12, 15)
    assert found.tempo_bpm == pytest.approx(100.0)


def test_a_mashup_may_change_its_tempo_on_a_bar() -> None:
    grid = PlanGrid(tempo_bpm=120.0, beats_per_bar=4, bars=8, tempo_changes=((4.0, 90.0),))
    found = TempoMap.of_grid(grid)
    tempi = [(one.beat, round(one.tempo_bpm, 3)) for one in found.segments(1e-6)]
    assert tempi == [(0, 120.0), (16, 90.0)]
    assert found.beats_s[-1] == pytest.approx(grid.duration_s)
