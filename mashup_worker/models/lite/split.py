"""Split of the preview model's accompaniment into drums, bass and other.

Three masks over the spectrogram of the accompaniment, which add up to one:

- Median filtering separates percussive from sustained sound (Fitzgerald, DAFx 2010) with a margin
  (Driedger et al., "Extending harmonic-percussive separation of audio signals", ISMIR 2014).
  Percussive sound is drums.
- A kick is a short low tone, which the filter across frequencies takes for bass. In the low band,
  energy above the median along time counts as percussive too.
- Sustained sound is bass below a soft crossover and other above it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from mashup_worker.dsp.hpss import harmonic_percussive, soft_mask

if TYPE_CHECKING:
    from torch import Tensor

SIZE_FRAMES = 17
"""Median along time: 0.4 s at a hop of 1024 samples, longer than a hit, shorter than most notes."""

SIZE_BINS = 25
"""Median along frequency: 270 Hz, wider than a partial and its skirts."""

HARMONIC_MARGIN = 1.5
"""Ratio of percussive to sustained magnitude at which a bin is shared equally."""

KICK_BAND_HZ = (180.0, 360.0)
"""The rule for kicks holds below the first frequency and fades out up to the second."""

BASS_BAND_HZ = (100.0, 400.0)
"""Sustained sound is bass below the first frequency and other above the second."""


def split_masks(magnitude: Tensor, frequencies_hz: Tensor) -> dict[str, Tensor]:
    """Return the masks by stem, for all frames but the first and last `SIZE_FRAMES // 2`.

    Shape: `(context + frames + context, bins)` and `(bins,)` to `(frames, bins)`.
    """
    context = SIZE_FRAMES // 2
    lasting, striking = harmonic_percussive(magnitude, size_frames=SIZE_FRAMES, size_bins=SIZE_BINS)
    excess = (magnitude - lasting).clamp(min=0) * _low_pass(frequencies_hz, KICK_BAND_HZ)
    striking = torch.maximum(striking / HARMONIC_MARGIN, excess)
    drums = soft_mask(striking, lasting)[context : len(magnitude) - context]
    low = _low_pass(frequencies_hz, BASS_BAND_HZ)
    return {"drums": drums, "bass": (1 - drums) * low, "other": (1 - drums) * (1 - low)}


def _low_pass(frequencies_hz: Tensor, band_hz: tuple[float, float]) -> Tensor:
    """Return 1 below the band, 0 above it, and a straight line in octaves between."""
    low, high = map(math.log2, band_hz)
    octaves = frequencies_hz.clamp(min=1).log2()
    return ((high - octaves) / (high - low)).clamp(0, 1)
