"""An analysis on a GPU finds what it finds on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mashup_worker.audio.signal import Audio
from mashup_worker.bench import music
from mashup_worker.pipelines.analysis.analyze import analyze_audio, analyze_stems

if TYPE_CHECKING:
    from mashup_worker.analysis.result import Analysis

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("as_torch_starts")]

STEMS = music.stems(8.0, 118.0)


def assert_alike(got: Analysis, expected: Analysis) -> None:
    """Check it to a hundredth of a unit, and beats to a millisecond."""
    assert expected.tempo_bpm is not None
    assert (got.key, got.beats_per_bar) == (expected.key, expected.beats_per_bar)
    assert got.tempo_bpm == pytest.approx(expected.tempo_bpm, abs=0.01)
    assert got.beats_s == pytest.approx(expected.beats_s, abs=1e-3)
    assert got.downbeats_s == pytest.approx(expected.downbeats_s, abs=1e-3)
    assert got.tempo_confidence == pytest.approx(expected.tempo_confidence, abs=0.01)
    assert got.key_confidence == pytest.approx(expected.key_confidence, abs=0.01)
    assert got.tuning_cents == pytest.approx(expected.tuning_cents, abs=0.2)
    assert got.loudness_lufs == pytest.approx(expected.loudness_lufs, abs=0.01)
    assert got.true_peak_dbtp == pytest.approx(expected.true_peak_dbtp, abs=0.01)


def on_device(audio: Audio) -> Audio:
    return Audio(audio.samples.to("cuda"), audio.sample_rate)


def test_of_a_song() -> None:
    song = music.song(8.0, 118.0)
    expected = analyze_audio(song).analysis
    assert_alike(analyze_audio(song, device="cuda").analysis, expected)


def test_of_stems_that_are_on_the_device() -> None:
    expected = analyze_stems(STEMS).analysis
    there = {kind: on_device(stem) for kind, stem in STEMS.items()}
    assert_alike(analyze_stems(there, device="cuda").analysis, expected)
