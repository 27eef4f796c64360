from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from mashup_worker.analysis.chroma import RATE_HZ as CHROMA_RATE_HZ
from mashup_worker.analysis.chroma import chroma
from mashup_worker.analysis.form.bars import (
    BANDS,
    FRAME_RATE_HZ,
    band_power,
    bar_edges_s,
    bar_features,
    means_between,
)
from mashup_worker.analysis.onsets import RATE_HZ, find_onsets
from tests.unit.analysis.form.songs import silence, tone


def test_the_last_bar_is_as_long_as_the_one_before() -> None:
    assert bar_edges_s([1.0, 3.0, 5.0], 60.0).tolist() == [1.0, 3.0, 5.0, 7.0]
    assert bar_edges_s([1.0, 3.0, 5.0], 6.0).tolist() == [1.0, 3.0, 5.0, 6.0]
    assert bar_edges_s([1.0, 3.0, 5.0], 5.01).tolist() == [1.0, 3.0, 5.0]
    for few in ([], [1.0]):
        assert len(bar_edges_s(few, 60.0)) == 0


def test_means_are_those_of_slices() -> None:
    rows = np.random.default_rng(0).normal(size=(3, 40))
    edges = np.array([-2.0, 0.4, 7.6, 7.7, 30.2, 55.0])
    naive = []
    for start, stop in pairwise(edges):
        first = min(max(round(start), 0), 39)
        last = min(max(round(stop), first + 1), 40)
        naive.append(rows[:, first:last].mean(axis=1))
    np.testing.assert_allclose(means_between(rows, edges), np.array(naive).T)


@pytest.mark.parametrize("hz", [60.0, 440.0, 4_000.0])
def test_a_tone_is_in_its_register(hz: float) -> None:
    power = band_power(tone(hz, 2.0)).mean(dim=1)
    edges_hz = np.geomspace(40, 10_000, BANDS + 1)
    assert abs(int(power.argmax()) - (np.searchsorted(edges_hz, hz) - 1)) <= 1
    assert power.shape == (BANDS,)


@pytest.mark.parametrize("samples", [0, 1, 100, 2048, 30_000])
def test_sounds_of_any_length_have_frames(samples: int) -> None:
    power = band_power(torch.ones(samples))
    assert power.shape == (BANDS, samples // 1024 + 1)
    assert power.isfinite().all()


def test_levels_strokes_and_pitches_follow_the_bars() -> None:
    quiet = 0.1
    sound = torch.cat([tone(440.0, 4.0), quiet * tone(880.0 * 2 ** (3 / 12), 4.0)])
    low = torch.nn.functional.avg_pool1d(sound[None], 2)[0]
    found = bar_features(
        np.array([0.0, 2.0, 4.0, 6.0, 8.0]), {"mix": sound}, chroma(low), find_onsets(sound)
    )
    assert CHROMA_RATE_HZ * 2 == RATE_HZ
    assert found.bars == 4
    # The frame on a border hears both sides.
    np.testing.assert_allclose(found.total_db[[0, 1, 3]], [0, 0, -20], atol=0.3)
    assert -20 < found.total_db[2] < -14
    assert found.levels_db.shape == (BANDS, 4)
    assert found.strokes.shape == (64, 4)
    assert found.pitches.shape == (48, 4)
    assert [found.pitch_classes[:12, bar].argmax() for bar in (0, 3)] == [9, 0]


def test_stems_have_rows_of_their_own_and_silence_is_finite() -> None:
    sounds = {"vocals": silence(8.0), "other": tone(300.0, 8.0)}
    mix = sounds["other"]
    harmony = chroma(torch.nn.functional.avg_pool1d(mix[None], 2)[0])
    found = bar_features(np.arange(5) * 2.0, sounds, harmony, find_onsets(mix))
    assert found.levels_db.shape == (2 * BANDS, 4)
    assert all(np.isfinite(rows).all() for rows in (found.levels_db, found.pitches, found.strokes))
    assert FRAME_RATE_HZ == RATE_HZ / 1024
