"""Complete network: transforms around the core."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from mashup_worker.models.network import SeparationNetwork

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from mashup_worker.models.network import NetworkProfile
    from mashup_worker.models.scnet.core import SparseCore
    from mashup_worker.models.spectrum import Spectrum


class SparseNetwork(SeparationNetwork):
    """Network that estimates the spectrogram of each stem, or a complex mask for it.

    Args:
        spectrum: transform of windows, and of the zeros after them that make the frames even.
        positions: numbers added to each frequency of the mix, shape
            `(frequencies, 2 * channels)`: the masked variant has them.
    """

    core: SparseCore

    def __init__(
        self,
        profile: NetworkProfile,
        core: SparseCore,
        spectrum: Spectrum,
        positions: Tensor | None,
    ) -> None:
        super().__init__(profile, core)
        self.spectrum = spectrum
        self.register_buffer("positions", positions)

    positions: Tensor | None

    def forward(self, windows: Tensor, rows: Sequence[int] | None = None) -> Tensor:
        """See `SeparationNetwork.forward`."""
        samples = windows.shape[-1]
        spectrogram = self.spectrum(F.pad(windows, (0, self.spectrum.length - samples)))
        # (batch, channels, frames, frequencies, 2) to (batch, frames, frequencies, 2 * channels).
        parts = torch.view_as_real(spectrogram).permute(0, 2, 3, 1, 4).flatten(-2)
        if self.positions is not None:
            parts = parts + self.positions
        (made,) = self.run_core(parts)
        stems = []  # one at a time: on a CPU the allocator can then reuse the same memory
        for row in range(len(self.profile.stems)) if rows is None else rows:
            parts = made.chunk(len(self.profile.stems), -1)[row].unflatten(-1, (-1, 2))
            estimate = torch.view_as_complex(parts.permute(0, 3, 1, 2, 4).contiguous())
            if self.positions is not None:
                estimate = estimate * spectrogram
            stems.append(self.spectrum.inverse(estimate)[..., :samples])
        return torch.stack(stems, 1)
