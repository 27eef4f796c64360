"""Click tracks, and sounds that resemble them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from mashup_worker.analysis.clicks import find_clicks
from mashup_worker.analysis.onsets import FRAME_RATE_HZ, RATE_HZ, find_onsets
from mashup_worker.audio.signal import Audio
from mashup_worker.pipelines.analysis.analyze import analyze_audio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.analysis.arrays import Array
    from mashup_worker.analysis.clicks import Clicks

PLAIN = (1_000.0, 0.2)


def sound(strokes: Sequence[tuple[float, float]], tempo_bpm: float, half_life_s: float) -> Array:
    """Decaying tones of the given frequencies and levels, one at each beat."""
    beat = round(RATE_HZ * 60 / tempo_bpm)
    time_s = np.arange(beat) / RATE_HZ
    return np.concatenate(
        [
            level * np.sin(2 * np.pi * hz * time_s) * 0.5 ** (time_s / half_life_s)
            for hz, level in strokes
        ]
    )


def clicks_of(samples: Array) -> Clicks | None:
    return find_clicks(find_onsets(torch.from_numpy(samples).float()))


@pytest.mark.parametrize("accent", [(1_000.0, 0.4), (1_500.0, 0.2), (800.0, 0.2), (1_000.0, 0.1)])
@pytest.mark.parametrize("beats_per_bar", [2, 3, 4, 5, 7])
def test_clicks_that_differ_begin_the_bars(beats_per_bar: int, accent: tuple[float, float]) -> None:
    strokes = ([PLAIN] * (beats_per_bar - 1) + [accent]) * 6
    found = clicks_of(sound(strokes, 120, 0.01))
    assert found is not None
    assert found.beats_per_bar == beats_per_bar
    is_weaker = accent < PLAIN
    expected = beats_per_bar - 1 if beats_per_bar > 2 or not is_weaker else 0
    assert found.first == expected
    assert np.diff(found.frames) == pytest.approx(FRAME_RATE_HZ / 2, abs=0.1)


def test_clicks_that_are_alike_have_no_bars() -> None:
    found = clicks_of(sound([PLAIN] * 24, 97, 0.01))
    assert found is not None
    assert found.beats_per_bar is None


@pytest.mark.parametrize("accent", [(1_000.0, 0.4), (1_400.0, 0.2)])
@pytest.mark.parametrize(("tempo_bpm", "beats_per_bar"), [(60, 3), (92, 5), (168, 4), (190, 7)])
def test_a_metronome_is_followed(
    tempo_bpm: float, beats_per_bar: int, accent: tuple[float, float]
) -> None:
    strokes = ([accent] + [PLAIN] * (beats_per_bar - 1)) * 8
    samples = torch.from_numpy(sound(strokes, tempo_bpm, 0.01)).float()
    found = analyze_audio(Audio(samples[None], RATE_HZ)).analysis
    assert found.tempo_bpm == pytest.approx(tempo_bpm, abs=0.02)
    assert found.beats_per_bar == beats_per_bar
    bars_s = np.arange(8) * beats_per_bar * 60 / tempo_bpm
    assert found.downbeats_s == pytest.approx(bars_s, abs=0.03)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(0),
        np.zeros(10 * RATE_HZ),
        sound([PLAIN] * 6, 120, 0.01),
        sound([PLAIN] * 24, 120, 0.5),
        sound([(60.0, 0.3), PLAIN] * 12, 120, 0.03),
        sound([PLAIN, PLAIN, (1_000.0, 0.0), PLAIN] * 6, 120, 0.01),
        np.random.default_rng(0).uniform(-0.1, 0.1, 10 * RATE_HZ),
    ],
    ids=["empty", "silence", "few", "ringing", "kicks", "pauses", "noise"],
)
def test_other_sounds_are_no_clicks(samples: Array) -> None:
    assert clicks_of(samples) is None
