"""Segments of a song for a Demucs network, and their cross-fade.

The cut follows Demucs (Défossez 2021, `demucs.apply.apply_model`), so that results agree sample by
sample. Segments of a fixed length start every `stride` samples. A network may require a longer
window than the segment: the window is centered on the segment and filled with samples of the song
on both sides, and with zeros beyond its end. The last segment is short; for networks with a fixed
input length it is the most off-center case.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Piece of a song. Positions are samples from the start of the song, and may lie outside it.

    Attributes:
        start: first sample of the estimate that is used.
        length: number of samples of the estimate that are used.
        window_start: first sample of the network's input.
        window_length: samples of the network's input.
    """

    start: int
    length: int
    window_start: int
    window_length: int

    def trim(self, estimate: Tensor) -> Tensor:
        """Return the used part of a network's output, shape `(..., window)` to `(..., length)`."""
        offset = self.start - self.window_start
        return estimate[..., offset : offset + self.length]


@dataclass(frozen=True)
class Segmentation:
    """Rule that cuts a song for one network.

    Attributes:
        segment_samples: length of all segments but the last.
        overlap: share of a segment that the next one overlaps, 0 up to but not 1.
        window_samples: length of the window for the length of a segment.
    """

    segment_samples: int
    overlap: float
    window_samples: Callable[[int], int]

    @property
    def stride_samples(self) -> int:
        """Distance between the starts of neighboring segments."""
        return max(1, int((1 - self.overlap) * self.segment_samples))

    def count(self, start: int, stop: int) -> int:
        """Return the number of segments that cover samples `start` to `stop`."""
        return -(-(stop - start) // self.stride_samples)

    def segments(self, start: int, stop: int) -> Iterator[Segment]:
        """Yield the segments that cover samples `start` to `stop`, in order."""
        for position in range(start, stop, self.stride_samples):
            length = min(self.segment_samples, stop - position)
            window = self.window_samples(length)
            yield Segment(
                start=position,
                length=length,
                window_start=position - (window - length) // 2,
                window_length=window,
            )


class CrossFade:
    """Cross-fade of overlapping segments with triangular weights.

    Estimates come in order. Samples that no later segment overlaps are returned at once, so one
    segment is held, not the song.
    """

    def __init__(self, rows: tuple[int, int], segment_samples: int, device: torch.device) -> None:
        """Allocate for estimates of shape `(stems, channels)`."""
        rising = torch.arange(1, segment_samples // 2 + 1, device=device)
        falling = torch.arange(segment_samples - segment_samples // 2, 0, -1, device=device)
        weight = torch.cat([rising, falling])
        self._weight = weight / weight.max()
        self._sum = torch.zeros(*rows, 0, device=device)
        self._sum_weight = torch.zeros(0, device=device)

    def add(self, segment: Segment, estimate: Tensor, next_start: int | None) -> Tensor:
        """Add the next segment and return the finished samples, shape `(stems, channels, samples)`.

        `estimate` is the output for its window, shape `(stems, channels, window)`; `next_start` is
        the start of the segment after it, or None for the last one.
        """
        weight = self._weight[: segment.length]
        weighted = weight * segment.trim(estimate)
        shared = self._sum.shape[-1]
        weighted[..., :shared] += self._sum
        total_weight = weight.clone()
        total_weight[:shared] += self._sum_weight
        stop = segment.start + segment.length
        done = (stop if next_start is None else next_start) - segment.start
        self._sum, self._sum_weight = weighted[..., done:], total_weight[done:]
        return weighted[..., :done] / total_weight[:done]
