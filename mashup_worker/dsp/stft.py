"""Short-time Fourier transform of a signal that arrives in pieces, and its inverse."""

from __future__ import annotations

import torch
from torch import Tensor


def frame_count(length_samples: int, window_samples: int, hop_samples: int) -> int:
    """Return the number of frames that touch a signal of this length, the first by one hop."""
    if length_samples == 0:
        return 0
    return -(-(length_samples + window_samples - hop_samples) // hop_samples)


def stft(samples: Tensor, window: Tensor, hop_samples: int) -> Tensor:
    """Return the spectra of all frames that fit into `samples`, without padding.

    Shape: `(..., samples)` to complex `(..., frames, bins)`; `bins` is half the window plus 1.
    """
    frames: Tensor = samples.unfold(-1, len(window), hop_samples)
    spectra: Tensor = torch.fft.rfft(frames * window)
    return spectra


class OverlapAdd:
    """Inverse transform by overlap-add, frame by frame.

    The window is used for synthesis too, so unchanged spectra of `stft` give the signal back from
    sample `size - hop` on. The window must be a multiple of the hop long, and its squares, shifted
    by the hop, must add up to a constant, as for a periodic Hann window at a hop of a quarter.
    """

    def __init__(self, window: Tensor, hop_samples: int) -> None:
        self._window = window * (hop_samples / window.square().sum())
        self._hop_samples = hop_samples
        self._overlap = len(window) // hop_samples - 1
        self._tail: Tensor | None = None

    def push(self, spectra: Tensor) -> Tensor:
        """Return the samples that no later frame can change, `hop_samples` for each frame.

        Shape: complex `(..., frames, bins)` to `(..., frames * hop_samples)`; leading sizes stay.
        """
        *lead, count, _ = spectra.shape
        frames: Tensor = torch.fft.irfft(spectra, n=len(self._window)) * self._window
        hops = frames.reshape(*lead, count, self._overlap + 1, self._hop_samples)
        summed: Tensor = frames.new_zeros(*lead, count + self._overlap, self._hop_samples)
        if self._tail is not None:
            summed[..., : self._overlap, :] = self._tail
        for i in range(self._overlap + 1):
            summed[..., i : i + count, :] += hops[..., i, :]
        self._tail = summed[..., count:, :].clone()
        return summed[..., :count, :].flatten(-2)
