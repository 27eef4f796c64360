"""Frames taken stretch by stretch, and the onsets found in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import librosa
import numpy as np
import pytest
import torch

from mashup_worker.analysis import frames
from mashup_worker.analysis.onsets import (
    FRAME_RATE_HZ,
    GROUPS,
    HOP_SAMPLES,
    RATE_HZ,
    Onsets,
    find_onsets,
)
from tests.unit.music import click, even_beats, hat, kick, placed, snare

if TYPE_CHECKING:
    from collections.abc import Callable

STRETCH = 16
WINDOW, HOP = 64, 10


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


def at_once(samples: torch.Tensor) -> torch.Tensor:
    """Magnitudes by one transform of the whole, shape `(batch, frames, bins)`."""
    window = torch.hann_window(WINDOW)
    padded = torch.nn.functional.pad(samples, (WINDOW // 2, WINDOW // 2))
    spectra = torch.stft(padded, WINDOW, HOP, window=window, center=False, return_complex=True)
    return spectra.abs().transpose(1, 2)


BORDERS = [(STRETCH * k + d) * HOP + r for k in (1, 2) for d in (-2, -1, 0, 1) for r in (-1, 0, 1)]


@pytest.mark.parametrize("length", [0, 1, 9, 10, 63, 64, 65, *BORDERS])
def test_stretches_make_up_one_transform_of_the_whole(
    length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "_STRETCH_FRAMES", STRETCH)
    samples = noise(2, length)
    pieces = list(frames.magnitudes(samples, WINDOW, HOP))
    got = torch.cat([piece for piece, _, _ in pieces], dim=1)
    assert got.shape[1] == frames.frame_count(length, HOP)
    torch.testing.assert_close(got, at_once(samples), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("length", [0, 5, 155, 165, 400])
def test_context_surrounds_stretches(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "_STRETCH_FRAMES", STRETCH)
    samples = noise(1, length)
    whole = at_once(samples)[..., 3:9]
    at = 0
    for piece, first, last in frames.magnitudes(samples, WINDOW, HOP, bins=slice(3, 9), context=5):
        stop = at + last - first
        expected = whole[:, max(0, at - 5) : stop + 5]
        assert first == min(5, at)
        torch.testing.assert_close(piece, expected, atol=1e-4, rtol=1e-4)
        at = stop
    assert at == whole.shape[1]


def every(found: Onsets) -> tuple[torch.Tensor, ...]:
    return found.groups, found.accents, found.bursts, found.strength


def test_stretches_give_the_onsets_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = noise(RATE_HZ * 3 + 17)
    whole = find_onsets(samples)
    monkeypatch.setattr(frames, "_STRETCH_FRAMES", 37)
    for one, other in zip(every(whole), every(find_onsets(samples)), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_a_batch_gives_the_onsets_of_its_sounds() -> None:
    gains = torch.tensor([1.0, 0.01, 0.3])[:, None]
    samples = (noise(6, 5000).reshape(2, 3, 5000) * gains).contiguous()
    together = find_onsets(samples)
    assert together.groups.shape == (2, 3, len(GROUPS), 5000 // HOP_SAMPLES + 1)
    for i in range(2):
        for j in range(3):
            for one, batch in zip(every(find_onsets(samples[i, j])), every(together), strict=True):
                torch.testing.assert_close(batch[i, j], one, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("length", [0, 1, 10, 219, 220, 221, 1023, 4411])
def test_any_length_has_finite_onsets(length: int) -> None:
    for samples in (noise(length), torch.zeros(length)):
        found = find_onsets(samples)
        assert found.frames >= length // HOP_SAMPLES + 1
        for values in every(found):
            assert values.isfinite().all()
            assert (values >= 0).all()


def test_silence_has_no_onsets() -> None:
    assert all(values.max() == 0 for values in every(find_onsets(torch.zeros(RATE_HZ))))


@pytest.mark.parametrize("gain", [1e-3, 0.1, 100.0])
def test_level_does_not_matter(gain: float) -> None:
    samples = placed(snare(), even_beats(120, 4), 4, RATE_HZ)
    for one, other in zip(
        every(find_onsets(samples)), every(find_onsets(gain * samples)), strict=True
    ):
        torch.testing.assert_close(one, other, atol=2e-3, rtol=2e-3)


@pytest.mark.parametrize("sound", [click, kick, snare, hat])
def test_onsets_and_accents_lie_near_the_sounds(sound: Callable[[], torch.Tensor]) -> None:
    # Odd times, so that sounds fall anywhere between two frames.
    times_s = np.cumsum([0.5, 0.4137, 0.523, 0.6111, 0.3789, 0.457, 0.6013])
    onsets = find_onsets(placed(sound(), times_s, 5, RATE_HZ))
    strength, accents = onsets.strength, onsets.accents.mean(dim=0)
    # Compressed strength rises as soon as the window touches a sound that follows silence.
    for values, tolerance_s in ((strength, 0.024), (accents, 0.016)):
        for time_s in times_s:
            first = round((time_s - 0.1) * FRAME_RATE_HZ)
            peak = first + int(values[first : first + round(0.2 * FRAME_RATE_HZ)].argmax())
            assert abs(peak / FRAME_RATE_HZ - time_s) <= tolerance_s
    between = strength[round(0.1 * FRAME_RATE_HZ) : round(0.4 * FRAME_RATE_HZ)]
    assert between.max() < 0.05 * strength.max()


def test_onsets_peak_where_those_of_librosa_do() -> None:
    times_s = even_beats(97, 8)
    samples = placed(snare(), times_s, 8, RATE_HZ)
    theirs = librosa.onset.onset_strength(y=samples.numpy(), sr=RATE_HZ, hop_length=HOP_SAMPLES)
    ours = find_onsets(samples).strength.numpy()
    for time_s in times_s:
        first = round((time_s - 0.1) * FRAME_RATE_HZ)
        near = slice(first, first + round(0.25 * FRAME_RATE_HZ))
        # librosa's peak lies later: it looks backwards only.
        assert abs(int(ours[near].argmax()) - int(theirs[near].argmax())) <= 3


@pytest.mark.parametrize(("sound", "group"), [(kick, "low"), (click, "mid+high"), (hat, "top")])
def test_sounds_show_in_their_register(sound: Callable[[], torch.Tensor], group: str) -> None:
    accents = find_onsets(placed(sound(), [0.5, 1.0, 1.5], 2, RATE_HZ)).groups
    totals = dict(zip(GROUPS, accents.sum(dim=1).tolist(), strict=True))
    assert max(totals, key=lambda name: totals[name]) in group.split("+")


def test_accents_and_bursts_have_a_mean_of_one() -> None:
    found = find_onsets(placed(snare(), even_beats(100, 5), 5, RATE_HZ))
    torch.testing.assert_close(found.accents.mean(dim=-1), torch.ones(4))
    assert float(found.bursts.mean()) == pytest.approx(1)


def test_bursts_show_a_snare_and_no_lasting_noise() -> None:
    strike = placed(snare(), [1.0, 3.0], 4, RATE_HZ)
    lasting = torch.zeros(4 * RATE_HZ)
    lasting[2 * RATE_HZ :] = 0.1 * noise(2 * RATE_HZ)
    bursts = find_onsets(strike + lasting).bursts
    at = round(1.0 * FRAME_RATE_HZ)
    begins = round(2.0 * FRAME_RATE_HZ)
    assert bursts[at - 5 : at + 5].max() > 5 * bursts[begins - 5 : begins + 5].max()


@pytest.mark.gpu
def test_cuda_agrees_with_the_cpu() -> None:
    samples = placed(snare(), even_beats(120, 4), 4, RATE_HZ) + 0.01 * noise(4 * RATE_HZ)
    on_cuda = find_onsets(samples.cuda())
    for one, other in zip(every(find_onsets(samples)), every(on_cuda), strict=True):
        torch.testing.assert_close(one, other.cpu(), atol=2e-3, rtol=2e-3)
