"""The tempogram against slow sums, librosa, and music of known tempo."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import torch

from mashup_worker.analysis.onsets import FRAME_RATE_HZ, HOP_SAMPLES, find_onsets
from mashup_worker.analysis.tempogram import Tempogram, tempogram
from tests.unit.music import RATE_HZ, beats_along, click, even_beats, placed, snare

RATE = 20.0
"""Frames a second of the strengths that are slow to sum."""


def strengths(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(5))


def slow(
    groups: np.ndarray[tuple[int, ...], np.dtype[np.float64]], tempo: Tempogram
) -> list[float]:
    """The tempogram's first, middle and last frames by plain sums, all tempi of each in a row."""
    window, hop = 160, 20
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    count = tempo.strength.shape[-1]
    out = []
    for frame in (0, count // 2, count - 1):
        for bpm in tempo.tempi_bpm.tolist():
            total = 0.0
            for band in groups - groups.mean(axis=1, keepdims=True):
                outside = np.zeros(window)
                row = np.concatenate([outside, band, outside])
                piece = row[window // 2 + frame * hop :][:window] * hann
                turns = np.exp(-2j * np.pi * bpm / 60 / RATE * np.arange(window))
                lag = 60 * RATE / bpm
                below, share = int(lag), lag % 1
                near = [piece[k:] @ piece[: window - k] for k in (below, below + 1)]
                alike = (near[0] * (1 - share) + near[1] * share) / (piece @ piece)
                total += abs(piece @ turns) / window * max(alike, 0)
            out.append(total)
    return out


@pytest.mark.parametrize("frames", [201, 300, 480])
def test_the_tempogram_is_the_product_of_naive_sums(frames: int) -> None:
    groups = strengths(2, frames)
    got = tempogram(groups, RATE, lowest_bpm=40, highest_bpm=290)
    expected = slow(groups.double().numpy(), got)
    some = [0, got.strength.shape[-1] // 2, got.strength.shape[-1] - 1]
    np.testing.assert_allclose(got.strength[:, some].T.ravel(), expected, atol=2e-5, rtol=1e-3)


def test_the_tempogram_has_its_axes() -> None:
    got = tempogram(strengths(4, 1234), FRAME_RATE_HZ)
    assert got.tempi_bpm[0] == pytest.approx(30)
    assert got.tempi_bpm[-1] >= 299.9
    steps = got.tempi_bpm.log2().diff()
    torch.testing.assert_close(steps, steps[:1].expand_as(steps), atol=1e-5, rtol=1e-3)
    assert got.strength.shape == (len(got.tempi_bpm), got.strength.shape[-1])
    seconds = 1234 / FRAME_RATE_HZ
    last_s = (got.strength.shape[-1] - 1) / got.frame_rate_hz
    assert seconds - 1 <= last_s <= seconds + 1


def test_a_batch_is_its_songs_one_by_one() -> None:
    groups = strengths(3, 4, 900)
    together = tempogram(groups, FRAME_RATE_HZ).strength
    for song, expected in zip(groups, together, strict=True):
        one = tempogram(song, FRAME_RATE_HZ).strength
        torch.testing.assert_close(one, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("frames", [1, 4, 10, 99, 101])
def test_short_and_silent_sound_has_a_finite_tempogram(frames: int) -> None:
    for groups in (strengths(4, frames), torch.zeros(4, frames)):
        got = tempogram(groups, FRAME_RATE_HZ)
        assert got.strength.shape[-1] >= 1
        assert got.strength.isfinite().all()
        assert (got.strength >= 0).all()
    assert got.strength.max() == 0


@pytest.mark.parametrize("tempo_bpm", [62.0, 90.0, 127.5, 174.0])
def test_clicks_have_the_tempo_that_librosa_finds(tempo_bpm: float) -> None:
    found = find_onsets(placed(click(), even_beats(tempo_bpm, 20), 20, RATE_HZ))
    ours = tempogram(found.groups, FRAME_RATE_HZ)
    felt = ours.strength[:, 5:15].mean(dim=1)
    best_bpm = float(ours.tempi_bpm[felt.argmax()])
    assert best_bpm == pytest.approx(tempo_bpm, rel=0.02)
    theirs = librosa.feature.tempogram(
        onset_envelope=found.strength.numpy(), sr=RATE_HZ, hop_length=HOP_SAMPLES, win_length=802
    ).mean(axis=1)
    bpm = librosa.tempo_frequencies(len(theirs), sr=RATE_HZ, hop_length=HOP_SAMPLES)
    # An autocorrelation answers to half the tempo as well: librosa is asked about the octave.
    near = (bpm > tempo_bpm * 0.7) & (bpm < tempo_bpm * 1.4)
    assert bpm[near][theirs[near].argmax()] == pytest.approx(best_bpm, rel=0.03)


def test_a_change_of_tempo_shows_where_it_happens() -> None:
    beats_s = beats_along([90.0] * 22 + [126.0] * 32)
    change_s = beats_s[22]
    samples = placed(snare(), beats_s, float(beats_s[-1]) + 0.5, RATE_HZ)
    got = tempogram(find_onsets(samples).groups, FRAME_RATE_HZ)
    for frame in range(got.strength.shape[-1]):
        time_s = frame / got.frame_rate_hz
        best_bpm = float(got.tempi_bpm[got.strength[:, frame].argmax()])
        if 4 < time_s < change_s - 3:
            assert best_bpm == pytest.approx(90, rel=0.03), time_s
        elif change_s + 3 < time_s < beats_s[-1] - 4:
            assert best_bpm == pytest.approx(126, rel=0.03), time_s


@pytest.mark.gpu
def test_cuda_agrees_with_the_cpu() -> None:
    groups = strengths(4, 2000)
    on_cuda = tempogram(groups.cuda(), FRAME_RATE_HZ)
    expected = tempogram(groups, FRAME_RATE_HZ)
    torch.testing.assert_close(on_cuda.strength.cpu(), expected.strength, atol=1e-4, rtol=1e-3)
