from __future__ import annotations

import pytest
import torch
from scipy import ndimage

from mashup_worker.dsp import hpss
from mashup_worker.dsp.hpss import harmonic_percussive, median_filter, soft_mask


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (1, 100), (40, 33)])
@pytest.mark.parametrize("size", [1, 3, 17, 51])
@pytest.mark.parametrize("small_values", [0, 1 << 18])
def test_parts_are_medians_of_rows_and_columns(
    shape: tuple[int, int], size: int, small_values: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hpss, "_SMALL_VALUES", small_values)
    values = torch.rand(shape)
    harmonic, percussive = harmonic_percussive(values, size_frames=size, size_bins=size)
    for part, footprint in ((harmonic, (size, 1)), (percussive, (1, size))):
        naive = ndimage.median_filter(values.numpy(), size=footprint, mode="constant")
        assert torch.equal(part, torch.from_numpy(naive))


def test_a_line_belongs_to_its_direction() -> None:
    spectrogram = torch.zeros(60, 80)
    spectrogram[:, 20] = 1.0
    spectrogram[30, :] += 1.0
    harmonic, percussive = harmonic_percussive(spectrogram, size_frames=17, size_bins=17)
    assert harmonic[10, 20] == 1
    assert harmonic[30, 50] == 0
    assert percussive[30, 50] == 1
    assert percussive[10, 20] == 0


@pytest.mark.gpu
def test_the_device_filters_as_the_cpu_does() -> None:
    values = torch.rand(40, 33)
    assert torch.equal(median_filter(values.cuda(), 17).cpu(), median_filter(values, 17))


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e15])
def test_masks_share_a_bin_at_any_scale(scale: float) -> None:
    one, other = torch.tensor([3.0, 0.0, 0.0, 1.0]), torch.tensor([1.0, 2.0, 0.0, 1.0])
    mask = soft_mask(one * scale, other * scale)
    torch.testing.assert_close(mask, torch.tensor([0.9, 0.0, 0.5, 0.5]))
    torch.testing.assert_close(mask + soft_mask(other * scale, one * scale), torch.ones(4))
