from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest
import torch

from mashup_worker.audio.peaks import peaks_of, write_peaks
from mashup_worker.audio.signal import Audio, spans

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def naive(samples: NDArray[Any], per_pixel: int, bits: int, split: bool) -> list[int]:
    """One sample after the other, as audiowaveform defines its data."""
    rows = samples if split else samples.mean(axis=0, keepdims=True, dtype=np.float32)
    data = []
    for start in range(0, rows.shape[1], per_pixel):
        for row in rows:
            whole = np.clip(np.floor(row[start : start + per_pixel] * 32768.0), -32768, 32767)
            data += [int(whole.min()) // 2 ** (16 - bits), int(whole.max()) // 2 ** (16 - bits)]
    return data


def written(sound: Audio, folder: Path, per_pixel: int = 256, **options: Any) -> dict[str, Any]:
    write_peaks(sound, folder / "peaks.json", per_pixel, **options)
    document: dict[str, Any] = json.loads((folder / "peaks.json").read_bytes())
    return document


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("length", [1, 255, 256, 257, 5001])
def test_equals_the_naive_reference(
    tmp_path: Path, length: int, channels: int, bits: Literal[8, 16], split: bool
) -> None:
    torch.manual_seed(length)
    samples = torch.randn(channels, length)  # beyond full scale too
    document = written(Audio(samples, 44_100), tmp_path, bits=bits, split_channels=split)
    expected = naive(samples.numpy(), 256, bits, split)
    assert document == {
        "version": 2,
        "channels": channels if split else 1,
        "sample_rate": 44_100,
        "samples_per_pixel": 256,
        "bits": bits,
        "length": -(-length // 256),
        "data": expected,
    }


@pytest.mark.parametrize("per_pixel", [256, 1000, 300_000])
def test_pixels_continue_across_spans(per_pixel: int) -> None:
    length = 600_001
    samples = torch.linspace(-1, 1, length).repeat(2, 1) * torch.tensor([[1.0], [-0.5]])
    sound = Audio(samples, 48_000)
    assert len(list(spans(sound))) == 3
    peaks = peaks_of(sound, per_pixel, split_channels=True)
    assert peaks.shape == (-(-length // per_pixel), 2, 2)
    assert peaks.flatten().tolist() == naive(samples.numpy(), per_pixel, 16, split=True)


def test_no_sound(tmp_path: Path) -> None:
    document = written(Audio(torch.zeros(2, 0), 44_100), tmp_path)
    assert (document["length"], document["data"]) == (0, [])


def test_silence_and_full_scale(tmp_path: Path) -> None:
    assert written(Audio(torch.zeros(2, 300), 44_100), tmp_path)["data"] == [0, 0, 0, 0]
    square = torch.tensor([[1.0, -1.0, 9.0, -9.0]])
    assert written(Audio(square, 44_100), tmp_path)["data"] == [-128, 127]
    odd = torch.tensor([[float("inf"), -float("inf")]])
    assert written(Audio(odd, 44_100), tmp_path)["data"] == [-128, 127]
    assert written(Audio(odd * 0, 44_100), tmp_path)["data"] == [0, 0]


def test_opposite_channels_cancel(tmp_path: Path) -> None:
    left = torch.full((1, 512), 0.5)
    sound = Audio(torch.cat([left, -left]), 44_100)
    assert written(sound, tmp_path)["data"] == [0, 0, 0, 0]
    assert written(sound, tmp_path, split_channels=True)["data"] == [64, 64, -64, -64] * 2


def test_reads_no_more_than_a_span_at_once() -> None:
    class Long:
        sample_rate, channels, length_samples = 44_100, 2, 44_100 * 60
        most = 0

        def read(self, start: int, stop: int) -> torch.Tensor:
            self.most = max(self.most, stop - start)
            return torch.zeros(1, 1).expand(2, stop - start)

    sound = Long()
    assert len(peaks_of(sound)) == -(-sound.length_samples // 256)
    assert sound.most <= 1 << 18
