"""Short-time spectra of a signal that arrives in pieces, and the signal back from them."""

from __future__ import annotations

import torch
from torch import Tensor


def frame_count(length_samples: int, window_samples: int, hop_samples: int) -> int:
    """Frames that touch a signal of this length, the first of them with `hop_samples` of it."""
    if length_samples == 0:
        return 0
    return -(-(length_samples + window_samples - hop_samples) // hop_samples)


def stft(samples: Tensor, window: Tensor, hop_samples: int) -> Tensor:
    """Spectra of all frames that fit into `samples`, without any padding.

    Shape: `(..., samples)` to complex `(..., frames, bins)`, with `window` of shape `(size,)` and
    `bins = size // 2 + 1`.
    """
    frames: Tensor = samples.unfold(-1, len(window), hop_samples)
    spectra: Tensor = torch.fft.rfft(frames * window)
    return spectra


class OverlapAdd:
    """Turns spectra back into samples, frame after frame, keeping what the next frames overlap.

    The window is used for synthesis too, so spectra that `stft` made and nobody changed give the
    signal back, from sample `size - hop` on. Needs a window whose size is a multiple of the hop
    and whose squares, moved by the hop, add up to a constant: a periodic Hann window at a quarter
    of its size.
    """

    def __init__(self, window: Tensor, hop_samples: int) -> None:
        self._window = window * (hop_samples / window.square().sum())
        self._hop_samples = hop_samples
        self._overlap = len(window) // hop_samples - 1
        self._tail: Tensor | None = None

    def push(self, spectra: Tensor) -> Tensor:
        """The samples that no later frame can change, `hop_samples` for every frame.

        Shape: complex `(..., frames, bins)` to `(..., frames * hop_samples)`; the leading sizes
        are the same in every call.
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
