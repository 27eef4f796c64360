"""Windows of sound in, stems of them out: transforms and statistics around the core."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from mashup_worker.models.htdemucs.core import HybridCore
    from mashup_worker.models.htdemucs.spectrum import Spectrum

    Core = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    """What `HybridCore.forward` is, by whatever runs it."""

_NORM_EPSILON = 1e-5


class HybridNetwork(nn.Module):
    """A network that separates windows of one length.

    Transforms, statistics and what goes in and comes out are float32, whatever the core is in.

    Args:
        core: the network between the transforms.
        spectrum: the transforms.
        stems: number of stems that it makes.
    """

    def __init__(self, core: HybridCore, spectrum: Spectrum, stems: int) -> None:
        super().__init__()
        self.core = core
        self.spectrum = spectrum
        self._stems = stems
        self._run_core: Core = core

    def run_core_by(self, run: Core) -> None:
        """Let `run` take the place of the core, such as a compiled or a captured form of it."""
        self._run_core = run

    def forward(self, windows: Tensor, rows: Sequence[int] | None = None) -> Tensor:
        """Separate `windows`, float32 of shape `(batch, channels, samples)`.

        Returns:
            The stems of these `rows` (all when None), float32 of shape
            `(batch, stems, channels, samples)`.
        """
        dtype, wanted = self.core.dtype, list(range(self._stems) if rows is None else rows)
        # (batch, channels, frames, frequencies, 2) to (batch, frames, frequencies, 2 * channels).
        parts = torch.view_as_real(self.spectrum(windows)).permute(0, 2, 3, 1, 4).flatten(-2)
        level, level_t = _Level(parts, (1, 2, 3)), _Level(windows, (1, 2))
        waves = level_t.normalise(windows).transpose(1, 2)[:, None]
        made, made_t = self._run_core(
            level.normalise(parts).to(dtype), waves.to(dtype, memory_format=torch.contiguous_format)
        )
        spectrograms = self._by_stem(made, wanted).unflatten(-1, (-1, 2)).permute(0, 3, 4, 1, 2, 5)
        back = level.restore(spectrograms.float().contiguous(), 6)
        estimate: Tensor = self.spectrum.inverse(torch.view_as_complex(back))
        waveforms = self._by_stem(made_t[:, 0], wanted).permute(0, 2, 3, 1)
        return estimate.add_(level_t.restore(waveforms.float(), 4))

    def _by_stem(self, made: Tensor, wanted: list[int]) -> Tensor:
        """Shape: `(..., stems * channels)` to `(..., wanted, channels)`."""
        stems = made.unflatten(-1, (self._stems, -1))
        return stems if wanted == list(range(self._stems)) else stems[..., wanted, :]


class _Level:
    """Mean and deviation of each item of a batch, over the axes `dims`."""

    def __init__(self, x: Tensor, dims: tuple[int, ...]) -> None:
        deviation, self._mean = torch.std_mean(x, dims, keepdim=True)
        self._deviation = deviation
        self._rate = 1 / (_NORM_EPSILON + deviation)

    def normalise(self, x: Tensor) -> Tensor:
        return (x - self._mean) * self._rate

    def restore(self, x: Tensor, axes: int) -> Tensor:
        """Back to the level; `x` has `axes` axes, the first of them the batch's. In place."""
        shape = (-1, *[1] * (axes - 1))
        return x.mul_(self._deviation.view(shape)).add_(self._mean.view(shape))
