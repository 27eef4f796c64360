"""Networks of the `demucs` package without a converted form, and what all of them declare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from mashup_worker.models.network import NetworkProfile, SeparationNetwork
from mashup_worker.models.segments import Cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class UnconvertedNetwork(SeparationNetwork):
    """Network of the `demucs` package as it is, such as the first Demucs and Hybrid Demucs."""

    def __init__(self, network: Any) -> None:
        super().__init__(demucs_profile(network), None)
        self._network = network.eval()

    def forward(self, windows: Tensor, rows: Sequence[int] | None = None) -> Tensor:
        """See `SeparationNetwork`."""
        made: Tensor = self._network(windows)
        if rows is not None:
            made = torch.stack([made[:, row] for row in rows], 1)
        return made.float()


def demucs_profile(network: Any) -> NetworkProfile:
    """Return the profile of a network of the `demucs` package."""
    segment_samples = int(network.samplerate * network.segment)
    any_length = not getattr(network, "use_train_segment", False)
    return NetworkProfile(
        stems=tuple(network.sources),
        sample_rate=int(network.samplerate),
        channels=int(network.audio_channels),
        segment_samples=segment_samples,
        cut=Cut.demucs(segment_samples),
        window_samples=getattr(network, "valid_length", int) if any_length else None,
        normalization="song",
    )
