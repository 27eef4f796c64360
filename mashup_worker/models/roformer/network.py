"""Complete network: transforms around the core, and masks on the spectrogram."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from mashup_worker.models.network import SeparationNetwork

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from mashup_worker.models.network import NetworkProfile
    from mashup_worker.models.roformer.core import RoformerCore
    from mashup_worker.models.spectrum import Spectrum


class RoformerNetwork(SeparationNetwork):
    """Network that multiplies the spectrogram by a complex mask for each stem.

    Args:
        zero_dc: remove the mean of every frame from the stems.
    """

    core: RoformerCore

    def __init__(
        self, profile: NetworkProfile, core: RoformerCore, spectrum: Spectrum, *, zero_dc: bool
    ) -> None:
        super().__init__(profile, core)
        self.spectrum = spectrum
        self._zero_dc = zero_dc

    def forward(self, windows: Tensor, rows: Sequence[int] | None = None) -> Tensor:
        """See `SeparationNetwork.forward`."""
        spectrogram = self.spectrum(windows)
        # (batch, channels, frames, frequencies, 2) to (batch, frames, frequencies, 2 * channels).
        parts = torch.view_as_real(spectrogram).permute(0, 2, 3, 1, 4).flatten(-2)
        (tokens,) = self.run_core(parts)
        stems = []  # one at a time: on a CPU the allocator can then reuse the same memory
        for row in range(len(self.profile.stems)) if rows is None else rows:
            mask = self.core.mask(tokens, row).unflatten(-1, (-1, 2)).permute(0, 3, 1, 2, 4)
            masked = spectrogram * torch.view_as_complex(mask)
            if self._zero_dc:
                masked[..., 0].zero_()
            stems.append(self.spectrum.inverse(masked))
        return torch.stack(stems, 1)
