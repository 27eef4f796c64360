"""Possible meters and the evidence for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from mashup_worker.analysis.chroma import Chroma, chroma
from mashup_worker.analysis.feature_streams import STROKES, feature_streams, standardized
from mashup_worker.analysis.meter import FEATURES, LEVELS, ScoredMeters, instants, score_meters
from mashup_worker.analysis.onsets import FRAME_RATE_HZ, Onsets, find_onsets
from mashup_worker.analysis.weights import meter_scores
from mashup_worker.pipelines.analysis.steps import to_chroma_rate
from tests.unit.music import even_beats, song

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.floating[Any]]

TEMPO_BPM, DURATION_S, START_S = 120.0, 30.0, 0.3
PULSE = np.arange(START_S, DURATION_S - 0.1, 60 / TEMPO_BPM) * FRAME_RATE_HZ
ANY_TEMPO = (np.array([30.0, 300.0]), np.zeros(2))


def features(beats_per_bar: int) -> tuple[Onsets, Chroma]:
    samples = song(even_beats(TEMPO_BPM, DURATION_S), DURATION_S, beats_per_bar).samples[0]
    return find_onsets(samples), chroma(to_chroma_rate(samples))


@pytest.fixture(scope="module")
def fours() -> tuple[Onsets, Chroma]:
    return features(4)


@pytest.fixture(scope="module")
def threes() -> tuple[Onsets, Chroma]:
    return features(3)


def scored(
    features_: tuple[Onsets, Chroma],
    range_bpm: tuple[float, float] = (55.0, 200.0),
    bars: tuple[int, ...] = (3, 4),
    pulse: Array = PULSE,
) -> ScoredMeters:
    return score_meters(
        feature_streams(*features_), pulse, ANY_TEMPO, tempo_range_bpm=range_bpm, beats_per_bar=bars
    )


def column(got: ScoredMeters, name: str) -> Array:
    return np.asarray(got.evidence[:, FEATURES.index(name)])


def test_bars_repeat_in_music_that_grows_louder() -> None:
    samples = song(even_beats(TEMPO_BPM, DURATION_S), DURATION_S, 3).samples[0]
    samples = samples * torch.linspace(0.02, 1, len(samples))
    got = scored((find_onsets(samples), chroma(to_chroma_rate(samples))), (119.0, 121.0))
    three, four = (column(got, f"strokes repeated after {bar}") for bar in (3, 4))
    assert (three > 0.2).all()
    assert (four < 0).all()


def test_instants_lie_between_and_beyond_the_pulse() -> None:
    pulse = np.array([10.0, 20.0, 32.0, 40.0])
    got = instants(pulse, np.array([-1.0, 0.0, 0.5, 1.25, 3.0, 4.0]))
    assert got.tolist() == [0.0, 10.0, 15.0, 23.0, 40.0, 48.0]


@pytest.mark.parametrize("range_bpm", [(55.0, 200.0), (118.0, 122.0), (32.0, 300.0), (32.0, 41.0)])
def test_only_tempi_in_range_are_tried(
    fours: tuple[Onsets, Chroma], range_bpm: tuple[float, float]
) -> None:
    got = scored(fours, range_bpm)
    tempi = {meter.beats.tempo_bpm for meter in got.meters}
    possible = [TEMPO_BPM / level for level in LEVELS]
    inside = [bpm for bpm in possible if range_bpm[0] <= bpm <= range_bpm[1]]
    assert sorted(tempi) == pytest.approx(sorted(inside))
    assert got.evidence.shape == (len(got.meters), len(FEATURES))
    assert np.isfinite(got.evidence).all()


def test_no_tempo_in_range_gives_no_meters(fours: tuple[Onsets, Chroma]) -> None:
    got = scored(fours, (121.0, 150.0))
    assert got.meters == ()
    assert got.evidence.shape == (0, len(FEATURES))


@pytest.mark.parametrize("bars", [(3,), (4,), (3, 4)])
def test_each_beat_grid_has_every_bar_and_first_beat(
    fours: tuple[Onsets, Chroma], bars: tuple[int, ...]
) -> None:
    got = scored(fours, bars=bars)
    wanted = {(length, first) for length in bars for first in range(length)}
    for beats in {meter.beats for meter in got.meters}:
        of_these = [m for m in got.meters if m.beats == beats]
        assert {(m.beats_per_bar, m.first) for m in of_these} == wanted
        assert len(of_these) == len(wanted)


def test_offsets_lie_within_a_beat(fours: tuple[Onsets, Chroma]) -> None:
    for meter in scored(fours).meters:
        assert 0 <= meter.beats.offset < meter.beats.level


def test_the_true_meter_is_among_them(
    fours: tuple[Onsets, Chroma], threes: tuple[Onsets, Chroma]
) -> None:
    for features_, length in ((fours, 4), (threes, 3)):
        # A pulse of eighths, and one of half notes.
        for pulse, level in ((np.arange(PULSE[0], PULSE[-1], 25.0568), 2), (PULSE[::2], 0.5)):
            right = [
                meter
                for meter in scored(features_, pulse=pulse).meters
                if meter.beats_per_bar == length
                and meter.beats.level == level
                and min(meter.beats.offset, level - meter.beats.offset) * 60 / TEMPO_BPM < 0.06
            ]
            assert right


def test_kicks_and_snares_are_distinguished(fours: tuple[Onsets, Chroma]) -> None:
    got = scored(fours, (119.0, 121.0), (4,))
    on_beat = [i for i, m in enumerate(got.meters) if abs(m.beats.offset) < 0.1]
    assert len(on_beat) == 4
    one = on_beat[0]
    assert got.meters[one].first == 0
    kick, snare = (
        [column(got, f"{name} on {place} of 4")[one] for place in range(1, 5)]
        for name in ("kick", "snare")
    )
    assert kick[0] + kick[2] - kick[1] - kick[3] > 0.3
    assert min(snare[1], snare[3]) - max(snare[0], snare[2]) > 1
    assert column(got, "snare on 1 of 4")[on_beat[1]] == pytest.approx(snare[1], abs=0.3)
    assert column(got, "chord on 1 of 4")[on_beat].argmax() == 0
    assert column(got, "bass on 1 of 4")[on_beat].argmax() == 0


def test_bars_of_three_repeat_by_three(
    fours: tuple[Onsets, Chroma], threes: tuple[Onsets, Chroma]
) -> None:
    for features_, own in ((fours, 4), (threes, 3)):
        got = scored(features_, (119.0, 121.0))
        on_beat = [i for i, m in enumerate(got.meters) if abs(m.beats.offset) < 0.1]
        for length in (3, 4):
            rows = [i for i in on_beat if got.meters[i].beats_per_bar == length]
            repeats = column(got, f"beats repeat best every {length}")[rows]
            assert (repeats > 0).all() if length == own else (repeats < -0.3).all()


def test_evidence_is_independent_of_the_level(fours: tuple[Onsets, Chroma]) -> None:
    samples = song(even_beats(TEMPO_BPM, DURATION_S), DURATION_S).samples[0] * 0.02
    quiet = scored((find_onsets(samples), chroma(to_chroma_rate(samples))))
    usual = scored(fours)
    assert quiet.meters == usual.meters
    np.testing.assert_allclose(quiet.evidence, usual.evidence, atol=0.02)


def test_silence_and_few_instants_have_finite_evidence() -> None:
    silence = torch.zeros(22_050 * 10)
    features_ = find_onsets(silence), chroma(to_chroma_rate(silence))
    for count in (2, 3, 9, 10, 20):
        got = scored(features_, pulse=np.arange(count) * 50.0)
        assert np.isfinite(got.evidence).all()


def test_streams_give_the_strongest_stroke_within_20_ms() -> None:
    samples = song(np.array([0.5, 1.0, 1.5, 2.0]), 3.0).samples[0]
    streams = feature_streams(find_onsets(samples), chroma(to_chroma_rate(samples)))
    assert streams.strokes.shape == (len(STROKES), streams.frames)
    assert streams.strokes.mean(axis=1) == pytest.approx(np.zeros(len(STROKES)), abs=1e-9)
    assert streams.strokes.std(axis=1) == pytest.approx(np.ones(len(STROKES)))
    on, off = streams.at(np.array([50.1, 100.2])), streams.at(np.array([37.0, 87.0]))
    assert (on[-1] > off[-1] + 1).all()
    assert np.array_equal(streams.at(np.array([-50.0, 1e6])), streams.strokes[:, [0, -1]])


def test_streams_sum_chroma_between_edges(fours: tuple[Onsets, Chroma]) -> None:
    streams = feature_streams(*fours)
    edges = np.array([30.0, 230.0, 231.0, 430.0])
    treble, bass = streams.pitches(edges)
    assert treble.shape == bass.shape == (12, 3)
    # The first bar is C major over C.
    assert set(treble[:, 0].argsort()[-3:].tolist()) == {0, 4, 7}
    assert int(bass[:, 0].argmax()) == 0
    parts = streams.pitches(np.array([30.0, 100.0, 230.0]))[0].sum(axis=1)
    assert parts == pytest.approx(treble[:, 0])


def test_constant_rows_become_zero() -> None:
    rows = np.array([[1.0, 1.0, 1.0], [0.0, 1.0, 2.0]])
    got = standardized(rows)
    assert got[0].tolist() == [0, 0, 0]
    assert got[1] == pytest.approx([-1.224745, 0, 1.224745])


def test_the_weights_match_the_features() -> None:
    scores = meter_scores(np.random.default_rng(0).normal(size=(5, len(FEATURES))))
    assert scores.shape == (5,)
    assert np.isfinite(scores).all()
    assert len(set(FEATURES)) == len(FEATURES)
