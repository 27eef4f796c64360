"""Magnitude spectra of long sound, computed in stretches so that memory stays small."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

_STRETCH_FRAMES = 2048


def frame_count(length_samples: int, hop_samples: int) -> int:
    """Return the number of frames; frame `i` is centered on sample `i * hop_samples`."""
    return length_samples // hop_samples + 1


def as_batch(samples: Tensor) -> Tensor:
    """Flatten the leading sizes: `(..., samples)` to `(batch, samples)`."""
    return samples.reshape(samples.shape[:-1].numel(), samples.shape[-1])


def magnitudes(
    samples: Tensor,
    window_samples: int,
    hop_samples: int,
    *,
    bins: slice = slice(None),
    context: int = 0,
) -> Iterator[tuple[Tensor, int, int]]:
    """Yield magnitudes of a batch of sounds, stretch by stretch, with silence around the sounds.

    Args:
        samples: shape `(batch, samples)`.
        window_samples: length of the Hann window.
        hop_samples: distance between frames.
        bins: bins to return.
        context: extra frames before and after a stretch, where they exist.

    Yields:
        Magnitudes of shape `(batch, frames, bins)`, and the first and last (exclusive) frame in
        them that belongs to the stretch itself.
    """
    window = torch.hann_window(window_samples, device=samples.device)
    count = frame_count(samples.shape[-1], hop_samples)
    half = window_samples // 2
    for start in range(0, count, _STRETCH_FRAMES):
        stop = min(count, start + _STRETCH_FRAMES)
        first, last = max(0, start - context), min(count, stop + context)
        begin, end = first * hop_samples - half, (last - 1) * hop_samples + half
        piece = samples[:, max(0, begin) : end]
        padded = F.pad(piece, (max(0, -begin), end - max(0, begin) - piece.shape[-1]))
        frames = padded.unfold(-1, window_samples, hop_samples)
        spectra = torch.fft.rfft(frames * window)[..., bins]
        yield spectra.abs(), start - first, stop - first
