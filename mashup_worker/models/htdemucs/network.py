"""Complete network: transforms and statistics around the core."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from mashup_worker.models.network import SeparationNetwork

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from mashup_worker.models.htdemucs.core import HybridCore
    from mashup_worker.models.htdemucs.spectrum import Spectrum
    from mashup_worker.models.network import NetworkProfile

_NORM_EPSILON = 1e-5


class HybridNetwork(SeparationNetwork):
    """Network that separates windows of one length."""

    core: HybridCore

    def __init__(self, profile: NetworkProfile, core: HybridCore, spectrum: Spectrum) -> None:
        super().__init__(profile, core)
        self.spectrum = spectrum

    def forward(self, windows: Tensor, rows: Sequence[int] | None = None) -> Tensor:
        """See `SeparationNetwork`."""
        # (batch, channels, frames, frequencies, 2) to (batch, frames, frequencies, 2 * channels).
        parts = torch.view_as_real(self.spectrum(windows)).permute(0, 2, 3, 1, 4).flatten(-2)
        level, level_t = _Level(parts, (1, 2, 3)), _Level(windows, (1, 2))
        waves = level_t.normalize(windows).transpose(1, 2)[:, None]
        dtype = self.core.dtype
        made, made_t = self.run_core(
            level.normalize(parts).to(dtype), waves.to(dtype, memory_format=torch.contiguous_format)
        )
        stems = len(self.profile.stems)
        # Stem by stem: on a CPU the allocator can then reuse the same memory.
        estimates = []
        for row in range(stems) if rows is None else rows:
            spectrogram = _as_spectrogram(_row(made, row, stems))
            level.restore(spectrogram[..., :-1, :])
            estimate = self.spectrum.inverse(spectrogram)
            waveform = _row(made_t[:, 0], row, stems).transpose(1, 2).float().contiguous()
            estimates.append(estimate.add_(level_t.restore(waveform)))
        return torch.stack(estimates, 1)


def _row(made: Tensor, row: int, stems: int) -> Tensor:
    """Shape: `(..., stems * channels)` to `(..., channels)`."""
    return made.chunk(stems, -1)[row]


def _as_spectrogram(made: Tensor) -> Tensor:
    """Append zeros for the highest frequency, which the core does not estimate.

    Shape: `(batch, frames, frequencies, 2 * channels)` to float32
    `(batch, channels, frames, frequencies + 1, 2)`.
    """
    parts = made.unflatten(-1, (-1, 2)).permute(0, 3, 1, 2, 4)
    batch, channels, frames, frequencies, _ = parts.shape
    spectrogram = torch.zeros(batch, channels, frames, frequencies + 1, 2, device=made.device)
    spectrogram[..., :-1, :] = parts
    return spectrogram


class _Level:
    """Mean and deviation of each item of a batch over the axes `dims`."""

    def __init__(self, x: Tensor, dims: tuple[int, ...]) -> None:
        self._deviation, self._mean = torch.std_mean(x, dims, keepdim=True)

    def normalize(self, x: Tensor) -> Tensor:
        return (x - self._mean) / (_NORM_EPSILON + self._deviation)

    def restore(self, x: Tensor) -> Tensor:
        """Undo the normalization in place; `x` has any axes after the batch."""
        shape = (-1, *[1] * (x.ndim - 1))
        return x.mul_(self._deviation.view(shape)).add_(self._mean.view(shape))
