"""Waveforms for players, in the JSON of the BBC's audiowaveform (version 2, 8 bits, mono)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import torch

from mashup_worker.audio.atomic import write_whole
from mashup_worker.audio.signal import spans

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from mashup_worker.audio.signal import SampleSource

SAMPLES_PER_PIXEL = 512
_BITS = 8
_STEPS_16, _STEPS_8 = 32_768, 256


def peaks_of(source: SampleSource, samples_per_pixel: int = SAMPLES_PER_PIXEL) -> Tensor:
    """Lowest and highest sample of every pixel, channels averaged.

    Args:
        source: the sound.
        samples_per_pixel: how many samples a pixel stands for; the last may stand for fewer.

    Returns:
        Integers from -128 to 127, shape `(pixels, 2)`.
    """
    found: list[Tensor] = []
    rest = torch.zeros(0)
    for start, stop in spans(source):
        block = torch.cat([rest, source.read(start, stop).cpu().mean(dim=0)])
        whole = len(block) // samples_per_pixel * samples_per_pixel
        if whole:
            found.append(_extremes(block[:whole].unflatten(0, (-1, samples_per_pixel))))
        rest = block[whole:].clone()
    if len(rest):
        found.append(_extremes(rest[None]))
    return torch.cat(found) if found else torch.zeros(0, 2, dtype=torch.int16)


def write_peaks(
    source: SampleSource, target: Path, samples_per_pixel: int = SAMPLES_PER_PIXEL
) -> None:
    """Write the waveform of a sound.

    Raises:
        StorageFailed: the file can't be written.
    """
    peaks = peaks_of(source, samples_per_pixel)
    document = {
        "version": 2,
        "channels": 1,
        "sample_rate": source.rate_hz,
        "samples_per_pixel": samples_per_pixel,
        "bits": _BITS,
        "length": len(peaks),
        "data": peaks.flatten().tolist(),
    }
    write_whole(target, json.dumps(document, separators=(",", ":")).encode())


def _extremes(pixels: Tensor) -> Tensor:
    """Shape `(pixels, samples)` to `(pixels, 2)`, scaled as audiowaveform scales 16-bit samples."""
    both = torch.stack([pixels.amin(dim=1), pixels.amax(dim=1)], dim=1)
    steps = (both * _STEPS_16).clamp(-_STEPS_16, _STEPS_16 - 1)
    return torch.div(steps, _STEPS_8, rounding_mode="floor").to(torch.int16)
