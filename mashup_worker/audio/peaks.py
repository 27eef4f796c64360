"""Waveforms for players, in the JSON of the BBC's audiowaveform (version 2)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

import torch

from mashup_worker.system.files import write_whole
from mashup_worker.audio.signal import spans

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from mashup_worker.audio.signal import SampleSource

SAMPLES_PER_PIXEL = 256
_LOWEST, _HIGHEST = -(1 << 15), (1 << 15) - 1


def peaks_of(
    source: SampleSource,
    samples_per_pixel: int = SAMPLES_PER_PIXEL,
    *,
    split_channels: bool = False,
) -> Tensor:
    """Lowest and highest sample of every pixel, read span by span.

    Args:
        source: the sound.
        samples_per_pixel: how many samples a pixel stands for, 2 or more; the last may stand for
            fewer.
        split_channels: keep channels apart, in place of averaging them.

    Returns:
        Samples as 16-bit integers, rounded down; those beyond full scale count as full scale.
        Shape `(pixels, channels, 2)`, int16, with one channel where they are averaged.
    """
    channels = source.channels if split_channels else 1
    found = [torch.zeros(0, channels, 2, dtype=torch.int16)]
    rest = torch.zeros(channels, 0)
    for start, stop in spans(source):
        block = source.read(start, stop).cpu()
        if not split_channels:
            block = block.mean(dim=0, keepdim=True)
        block = torch.cat([rest, block], dim=1)
        whole = block.shape[1] // samples_per_pixel * samples_per_pixel
        found.append(_extremes(block[:, :whole].unflatten(1, (-1, samples_per_pixel))))
        rest = block[:, whole:]
    if rest.shape[1]:
        found.append(_extremes(rest[:, None]))
    return torch.cat(found)


def write_peaks(
    source: SampleSource,
    target: Path,
    samples_per_pixel: int = SAMPLES_PER_PIXEL,
    *,
    bits: Literal[8, 16] = 8,
    split_channels: bool = False,
) -> None:
    """Write the waveform of a sound.

    Args:
        source: the sound.
        target: the file, whose data is the lowest and the highest sample of each channel of each
            pixel in turn.
        samples_per_pixel: how many samples a pixel stands for, 2 or more.
        bits: of the integers. The 8 bits are the upper ones of 16, so they are rounded down;
            audiowaveform itself rounds towards zero, one step apart at most.
        split_channels: keep channels apart, in place of averaging them.

    Raises:
        StorageFailed: the file can't be written.
    """
    peaks = peaks_of(source, samples_per_pixel, split_channels=split_channels)
    document = {
        "version": 2,
        "channels": peaks.shape[1],
        "sample_rate": source.rate_hz,
        "samples_per_pixel": samples_per_pixel,
        "bits": bits,
        "length": peaks.shape[0],
        "data": (peaks >> (16 - bits)).flatten().tolist(),
    }
    write_whole(target, json.dumps(document, separators=(",", ":")).encode())


def _extremes(pixels: Tensor) -> Tensor:
    """Shape `(channels, pixels, samples)` to `(pixels, channels, 2)`."""
    if not pixels.shape[1]:
        return torch.zeros(0, pixels.shape[0], 2, dtype=torch.int16)
    both = torch.stack([pixels.amin(dim=2), pixels.amax(dim=2)], dim=2).transpose(0, 1)
    # A sample that is no number would otherwise become any number.
    steps = (both * (1 << 15)).floor().nan_to_num(0.0, _HIGHEST, _LOWEST)
    return steps.clamp(_LOWEST, _HIGHEST).to(torch.int16)
