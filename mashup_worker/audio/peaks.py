"""Waveforms for players, in version 2 of the JSON format of the BBC's audiowaveform."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

import torch

from mashup_worker.audio.signal import spans
from mashup_worker.system.files import write_atomically

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
    """Return the lowest and highest sample of every pixel; the source is read span by span.

    Args:
        source: sound to draw.
        samples_per_pixel: samples that a pixel covers, 2 or more; the last may cover fewer.
        split_channels: keep the channels separate instead of averaging them.

    Returns:
        16-bit integers, rounded down and clamped to full scale, of shape `(pixels, channels, 2)`;
        one channel if the channels are averaged.
    """
    channels = source.channels if split_channels else 1
    found = [torch.zeros(0, channels, 2, dtype=torch.int16)]
    rest = torch.zeros(channels, 0)
    for start, stop in spans(source):
        block = source.read(start, stop)
        if not split_channels:
            block = block.mean(dim=0, keepdim=True)
        block = torch.cat([rest.to(block.device), block], dim=1)
        whole = block.shape[1] // samples_per_pixel * samples_per_pixel
        found.append(_extremes(block[:, :whole].unflatten(1, (-1, samples_per_pixel))))
        rest = block[:, whole:]
    if rest.shape[1]:
        found.append(_extremes(rest[:, None]))
    return torch.cat([one.cpu() for one in found])


def write_peaks(
    source: SampleSource,
    target: Path,
    samples_per_pixel: int = SAMPLES_PER_PIXEL,
    *,
    bits: Literal[8, 16] = 8,
    split_channels: bool = False,
) -> None:
    """Write the waveform of a sound as JSON.

    Args:
        source: sound to draw.
        target: file to write. Its data holds the lowest and the highest sample of each channel of
            each pixel.
        samples_per_pixel: samples that a pixel covers, 2 or more.
        bits: size of the integers. 8 bits are the upper half of 16 and so are rounded down;
            audiowaveform rounds towards zero, which differs by one step at most.
        split_channels: keep the channels separate instead of averaging them.

    Raises:
        StorageFailed: the file cannot be written.
    """
    peaks = peaks_of(source, samples_per_pixel, split_channels=split_channels)
    document = {
        "version": 2,
        "channels": peaks.shape[1],
        "sample_rate": source.sample_rate,
        "samples_per_pixel": samples_per_pixel,
        "bits": bits,
        "length": peaks.shape[0],
        "data": (peaks >> (16 - bits)).flatten().tolist(),
    }
    write_atomically(target, json.dumps(document, separators=(",", ":")).encode())


def _extremes(pixels: Tensor) -> Tensor:
    """Shape `(channels, pixels, samples)` to `(pixels, channels, 2)`."""
    if not pixels.shape[1]:
        return pixels.new_zeros(0, pixels.shape[0], 2, dtype=torch.int16)
    both = torch.stack([pixels.amin(dim=2), pixels.amax(dim=2)], dim=2).transpose(0, 1)
    # NaN would convert to an arbitrary integer.
    steps = (both * (1 << 15)).floor().nan_to_num(0.0, _HIGHEST, _LOWEST)
    return steps.clamp(_LOWEST, _HIGHEST).to(torch.int16)
