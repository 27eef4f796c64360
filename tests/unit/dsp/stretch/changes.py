"""Sound and changes that the tests of several engines share."""

from __future__ import annotations

import torch

from mashup_worker.audio.signal import Audio

CHANGES = (
    ((0, 1), (0, 3), 0.0),
    ((0, 1000), (0, 251), -1.5),
    ((0, 7, 30_001), (0, 9, 33_333), 2.0),
    ((0, 9000, 9001, 20_000), (0, 10_000, 10_002, 20_000), 0.0),
)
"""Positions in the source, positions in the result, and semitones."""


def noise(length_samples: int, channels: int = 2, sample_rate: int = 44_100) -> Audio:
    random = torch.Generator().manual_seed(5)
    return Audio(0.1 * torch.randn(channels, length_samples, generator=random), sample_rate)
