"""Separators for tests: Demucs on small random networks, and one with a known result."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from mashup_worker.audio.signal import Audio
from mashup_worker.licenses import license_as_stated
from mashup_worker.models.checkpoints.repository import load_bag
from mashup_worker.models.engine import EngineOptions, NetworkSeparator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from torch import Tensor

    from mashup_worker.audio.signal import SampleSource
    from mashup_worker.models.separator import OnShare, Separator

RATE_HZ = 44_100


def music(duration_s: float, seed: int = 0) -> Audio:
    """Stereo tones and bursts with a level and an offset far from normalised."""
    generator = torch.Generator().manual_seed(seed)
    time_s = torch.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    tone = torch.sin(2 * torch.pi * 220 * time_s) * torch.sin(2 * torch.pi * 0.7 * time_s)
    noise = torch.randn(2, len(time_s), generator=generator) * (time_s % 0.5 < 0.1)
    return Audio(0.02 + 0.2 * torch.stack([tone, 0.5 * tone]) + 0.1 * noise, RATE_HZ)


def separate(separator: Separator, mix: Audio, stems: Sequence[str] | None = None) -> Tensor:
    return torch.cat(list(separator.stream(mix, stems)), dim=-1)


def engine(repository: Path, name: str, **options: object) -> NetworkSeparator:
    defaults: dict[str, object] = {"device": "cpu", "precision": "fp32"}
    bag = load_bag(name, repository)
    return NetworkSeparator(name, bag, EngineOptions(**(defaults | options)))  # type: ignore[arg-type]


class Splitter:
    """A separator with a known result: `low` is `share` of the mix, `high` the rest or `high`.

    It hands pieces of odd lengths out, as real ones do, and is told what to be a model of.
    """

    name = "splitter"
    license = license_as_stated("MIT")
    weights_sha256 = None
    stems = ("low", "high")
    sample_rate = 44_100
    channels = 2
    device = "cpu"
    precision = "fp32"

    def __init__(
        self, share: float = 0.25, residual_stem: str | None = None, high: float | None = None
    ) -> None:
        self.shares = {"low": share, "high": 1 - share if high is None else high}
        self.residual_stem = residual_stem
        self.asked: tuple[str, ...] = ()

    def warm_up(self) -> None:
        pass

    def stream(
        self,
        mix: SampleSource,
        stems: Sequence[str] | None = None,
        *,
        on_progress: OnShare | None = None,
        on_device: bool = False,  # noqa: ARG002 - its device is the CPU
    ) -> Iterator[Tensor]:
        assert mix.channels == self.channels
        assert mix.sample_rate == self.sample_rate
        self.asked = self.stems if stems is None else tuple(stems)
        for start in range(0, mix.length_samples, 30_001):
            block = mix.read(start, min(mix.length_samples, start + 30_001))
            yield torch.stack([self.shares[kind] * block for kind in self.asked])
            if on_progress:
                on_progress(min(1.0, (start + 30_001) / mix.length_samples))
