"""Accuracy of the analysis on songs with known tempo, beats, bars and key.

A small part of `benchmarks.analysis`, with a tolerance of one or two songs.
"""

from __future__ import annotations

import pytest

from benchmarks.analysis import MIX, STEMS, Measured, analyze_song, measure, sample_songs, scored
from benchmarks.scores import Summary, summary
from mashup_worker.pipelines.analysis.analyze import analyze_audio
from synth.metronomes import metronome

SONGS = 10


@pytest.fixture(scope="module")
def generated() -> list[Measured]:
    found = measure("bandstand", range(500, 500 + SONGS))
    assert len(found) == 2 * SONGS
    return found


@pytest.fixture(scope="module")
def samples() -> list[Measured]:
    return [one for song in sample_songs() for one in analyze_song(song)]


def of(measured: list[Measured], view: str) -> Summary:
    return summary([one.score for one in measured if one.view == view])


@pytest.mark.slow
@pytest.mark.parametrize("view", [MIX, STEMS])
def test_most_generated_songs_are_right(generated: list[Measured], view: str) -> None:
    got = of(generated, view)
    assert got.tempo_exact >= 0.7
    assert got.tempo_level >= 0.9
    assert got.beat_f_mean >= 0.85
    assert got.downbeat_right >= 0.6
    assert got.meter_right >= 0.8
    assert got.key_exact >= 0.7
    assert got.tuning_error_cents is not None
    assert got.tuning_error_cents <= 5
    assert got.beat_offset_s is not None
    assert abs(got.beat_offset_s) <= 0.010


def test_most_metronomes_have_their_bars_at_the_accents() -> None:
    songs = [metronome(seed) for seed in range(5000, 5012)]
    # The default range begins at 55 BPM.
    scores = [
        scored(song.truth, analyze_audio(song.mix).analysis)
        for song in songs
        if song.truth.tempo_bpm > 55
    ]
    assert len(scores) >= 10
    assert sum(one.tempo_exact for one in scores) == len(scores)
    assert sum(one.downbeat_right for one in scores) >= len(scores) - 1


@pytest.mark.parametrize("view", [MIX, STEMS])
def test_the_sample_songs_are_all_right(samples: list[Measured], view: str) -> None:
    scores = [one.score for one in samples if one.view == view]
    assert len(scores) >= 3
    for score in scores:
        # Drums alone are 22 s of loose hits in one of them: 0.02 BPM are 3 ms there, end to end.
        assert score.tempo_exact or (view == STEMS and score.tempo_error_bpm < 0.03)
        assert score.key_exact
        assert score.meter_right
        assert score.downbeat_right
        assert score.beat_f > 0.95
