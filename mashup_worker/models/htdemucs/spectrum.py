"""Short-time Fourier transforms around the core, with prepared windows and indices.

Equal to those of Demucs (`demucs.spec`, and `_spec` and `_ispec` of its network), with frames as
rows of one real Fourier transform.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from torch import Tensor


class Spectrum(nn.Module):
    """Transform of windows of `length` samples, and its inverse.

    Frames have `size` samples; the hop is a quarter of it.
    """

    def __init__(self, size: int, length: int) -> None:
        super().__init__()
        self._size, self._hop, self._length = size, size // 4, length
        self.frames = -(-length // self._hop)
        hann = torch.hann_window(size)
        self.register_buffer("window", hann / size**0.5)
        self.register_buffer("window_back", hann * size**0.5)
        # Two more frames on both sides reach into the window, but are not part of the spectrogram.
        energy = _overlap(hann.square().expand(self.frames + 4, size))
        self.register_buffer("energy", self._crop(energy[2 * self._hop :]))

    window: Tensor
    window_back: Tensor
    energy: Tensor

    def forward(self, windows: Tensor) -> Tensor:
        """Return the spectrogram without the highest frequency.

        Shape: `(batch, channels, length)` to complex `(batch, channels, frames, size / 2)`.
        """
        lead = self._hop // 2 * 3
        missing = self.frames * self._hop - self._length
        # Demucs pads by reflection for its alignment, and its transform pads once more
        # for frames that it then drops.
        padded = _reflect(windows, lead, lead + missing)
        framed = padded.unfold(-1, self._size, self._hop)
        spectrogram: Tensor = torch.fft.rfft(framed * self.window)[..., :-1]
        return spectrogram

    def inverse(self, spectrogram: Tensor) -> Tensor:
        """Return the windows whose spectrogram is nearest.

        Shape: `(batch, channels, frames, size / 2 + 1, 2)`, real and imaginary parts last, to
        `(batch, channels, length)`.
        """
        framed = torch.fft.irfft(torch.view_as_complex(spectrogram), self._size)
        samples = self._crop(_overlap(framed.mul_(self.window_back)))
        return samples.div_(self.energy)

    def _crop(self, samples: Tensor) -> Tensor:
        lead = self._hop // 2 * 3
        return samples[..., lead : lead + self._length]


def _overlap(framed: Tensor) -> Tensor:
    """Overlap and add frames, shape `(..., frames, size)` to `(..., samples)`."""
    quarters = framed.unflatten(-1, (4, -1))
    total = F.pad(quarters[..., 0, :], (0, 0, 0, 3))
    for step in range(1, 4):
        total[..., step : step + framed.shape[-2], :] += quarters[..., step, :]
    return total.flatten(-2)


def _reflect(samples: Tensor, before: int, after: int) -> Tensor:
    """Pad by reflection where the input is long enough, and by zeros beyond."""
    longest = max(before, after)
    if samples.shape[-1] > longest:
        return F.pad(samples, (before, after), mode="reflect")
    extra = longest - samples.shape[-1] + 1
    right = min(after, extra)
    samples = F.pad(samples, (extra - right, right))
    return F.pad(samples, (before - extra + right, after - right), mode="reflect")
