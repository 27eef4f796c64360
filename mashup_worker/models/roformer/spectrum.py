"""Short-time Fourier transform with any hop, without host reads.

Equal to `torch.stft` and `torch.istft` with centered frames, with frames as rows of one real Fourier
transform. `torch.istft` reads a value on the host, which waits for the device.
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

    Args:
        size: samples of a frame.
        hop: samples between the starts of frames.
        length: samples of a window, more than half a frame.
        hann_samples: length of the Hann window, centered in the frame.
        normalized: divide the spectrogram by the root of `size`.
    """

    def __init__(
        self, size: int, hop: int, length: int, *, hann_samples: int, normalized: bool = False
    ) -> None:
        super().__init__()
        self._size, self._hop, self._length = size, hop, length
        self.frames = 1 + length // hop
        lead = (size - hann_samples) // 2
        hann = F.pad(torch.hann_window(hann_samples), (lead, size - hann_samples - lead))
        scale = size**0.5 if normalized else 1.0
        self.register_buffer("window", hann / scale)
        self.register_buffer("window_back", hann * scale)
        energy = self._overlap(hann.square().expand(self.frames, size))
        self.register_buffer("energy", energy)

    window: Tensor
    window_back: Tensor
    energy: Tensor

    def forward(self, windows: Tensor) -> Tensor:
        """Return the spectrogram.

        Shape: `(batch, channels, length)` to complex `(batch, channels, frames, size / 2 + 1)`.
        """
        padded = F.pad(windows, (self._size // 2, self._size // 2), mode="reflect")
        framed = padded.unfold(-1, self._size, self._hop)
        spectrogram: Tensor = torch.fft.rfft(framed * self.window)
        return spectrogram

    def inverse(self, spectrogram: Tensor) -> Tensor:
        """Return the windows whose spectrogram is nearest.

        Shape: complex `(batch, channels, frames, size / 2 + 1)` to `(batch, channels, length)`.
        """
        framed = torch.fft.irfft(spectrogram, self._size)
        return self._overlap(framed.mul_(self.window_back)).div_(self.energy)

    def _overlap(self, framed: Tensor) -> Tensor:
        """Overlap and add frames, shape `(..., frames, size)` to `(..., length)`."""
        steps = -(-self._size // self._hop)
        spare = steps * self._hop - self._size
        pieces = F.pad(framed, (0, spare)).unflatten(-1, (steps, self._hop))
        total = F.pad(pieces[..., 0, :], (0, 0, 0, steps - 1))
        for step in range(1, steps):
            total[..., step : step + self.frames, :] += pieces[..., step, :]
        start = self._size // 2
        return total.flatten(-2)[..., start : start + self._length]
