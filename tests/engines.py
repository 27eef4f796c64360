"""The Demucs engine on small random networks, and sound to run it on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from mashup_worker.audio.signal import Audio
from mashup_worker.models.demucs_engine import DemucsSeparator, EngineOptions
from mashup_worker.models.repository import load_bag

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

RATE_HZ = 44_100


def music(duration_s: float, seed: int = 0) -> Audio:
    """Stereo tones and bursts with a level and an offset far from normalised."""
    generator = torch.Generator().manual_seed(seed)
    time_s = torch.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    tone = torch.sin(2 * torch.pi * 220 * time_s) * torch.sin(2 * torch.pi * 0.7 * time_s)
    noise = torch.randn(2, len(time_s), generator=generator) * (time_s % 0.5 < 0.1)
    return Audio(0.02 + 0.2 * torch.stack([tone, 0.5 * tone]) + 0.1 * noise, RATE_HZ)


def separate(separator: DemucsSeparator, mix: Audio, stems: Sequence[str] | None = None) -> Tensor:
    return torch.cat(list(separator.stream(mix, stems)), dim=-1)


def engine(repository: Path, name: str, **options: object) -> DemucsSeparator:
    defaults: dict[str, object] = {"device": "cpu", "precision": "fp32"}
    bag = load_bag(name, repository)
    return DemucsSeparator(name, bag, EngineOptions(**(defaults | options)))  # type: ignore[arg-type]
