"""Segments of a song for a network, and their cross-fade.

Segments of a fixed length start every `stride` samples. A network declares its `Cut`, since a song
must be cut as the network's authors did to get their results:

- Demucs (Défossez 2021, `demucs.apply.apply_model`): triangular weights, and zeros around the song.
  The last segment is short. A network may require a longer window than the segment: the window is
  centered on the segment and filled with samples of the song on both sides.
- Music-Source-Separation-Training (`demix`): weights of 1 with linear slopes at both ends, and the
  song reflected at its edges. The window of a short last segment is filled after its end, by
  reflection if the segment is longer than half a window, and by zeros otherwise. `demix` decides by
  batch which windows keep full weight at the song's ends, so that its result depends on the batch
  size, and samples without weight become NaN and then zero. Here that is decided by segment, and no
  sample is without weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

_SLOPE_SHARE = 10
"""A slope is a tenth of a segment, at most the overlap."""


@dataclass(frozen=True, kw_only=True)
class Cut:
    """Rule by which a song is cut into segments and the estimates are joined.

    Attributes:
        stride_samples: distance between the starts of neighboring segments.
        fade: weights of an estimate: a triangle, or 1 with linear slopes at both ends.
        edges: what surrounds the song. `reflection` continues it by the overlap, if it is longer
            than two overlaps.
    """

    stride_samples: int
    fade: Literal["triangle", "slopes"]
    edges: Literal["zeros", "reflection"]

    @classmethod
    def demucs(cls, segment_samples: int, overlap: float = 0.25) -> Cut:
        """Return the cut of Demucs; `overlap` is a share of a segment."""
        stride = stride_samples(segment_samples, overlap)
        return cls(stride_samples=stride, fade="triangle", edges="zeros")

    @classmethod
    def msst(cls, segment_samples: int, num_overlap: int) -> Cut:
        """Return the cut of Music-Source-Separation-Training.

        `num_overlap` is the number of segments that cover a sample.
        """
        stride = max(1, segment_samples // num_overlap)
        return cls(stride_samples=stride, fade="slopes", edges="reflection")


def stride_samples(segment_samples: int, overlap: float) -> int:
    """Return the stride for an overlap given as a share of a segment, 0 up to but not 1."""
    return max(1, int((1 - overlap) * segment_samples))


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Piece of a song. Positions are samples from the start of the song, and may lie outside it.

    Attributes:
        start: first sample of the estimate that is used.
        length: number of samples of the estimate that are used.
        window_start: first sample of the network's input.
        window_length: samples of the network's input.
        is_first: whether no segment is before it.
        is_last: whether no segment is after it.
    """

    start: int
    length: int
    window_start: int
    window_length: int
    is_first: bool
    is_last: bool

    def trim(self, estimate: Tensor) -> Tensor:
        """Return the used part of a network's output, shape `(..., window)` to `(..., length)`."""
        offset = self.start - self.window_start
        return estimate[..., offset : offset + self.length]


@dataclass(frozen=True)
class Segmentation:
    """A cut applied to a network's segments.

    Attributes:
        segment_samples: length of all segments but the last.
        window_samples: length of the window for the length of a segment.
    """

    segment_samples: int
    cut: Cut
    window_samples: Callable[[int], int]

    @property
    def overlap_samples(self) -> int:
        """Samples that neighboring segments share."""
        return max(0, self.segment_samples - self.cut.stride_samples)

    def margin(self, length_samples: int) -> int:
        """Return how many samples a song of this length is continued at both ends."""
        reflects = self.cut.edges == "reflection" and length_samples > 2 * self.overlap_samples
        return self.overlap_samples if reflects else 0

    def count(self, length_samples: int, shift: int = 0) -> int:
        """Return the number of segments of a song; see `segments`."""
        covered = length_samples + self.margin(length_samples) + shift
        return -(-covered // self.cut.stride_samples)

    def segments(self, length_samples: int, shift: int = 0) -> Iterator[Segment]:
        """Yield the segments that cover a song, in order.

        The first one starts at the margin, and `shift` samples earlier. Segments that lie wholly
        after the song are left out.
        """
        margin, stride = self.margin(length_samples), self.cut.stride_samples
        first, end = -margin - shift, length_samples + margin
        for position in range(first, length_samples, stride):
            length = min(self.segment_samples, end - position)
            if self.cut.edges == "zeros":
                window = self.window_samples(length)
                window_start = position - (window - length) // 2
            else:
                window = self.window_samples(self.segment_samples)
                window_start = position
            yield Segment(
                start=position,
                length=length,
                window_start=window_start,
                window_length=window,
                is_first=position == first,
                is_last=position + stride >= end,
            )


class CrossFade:
    """Weighted mean of overlapping segments.

    Estimates come in order. Samples that no later segment overlaps are returned at once, so one
    segment is held, not the song.
    """

    def __init__(
        self, rows: tuple[int, int], segmentation: Segmentation, device: torch.device
    ) -> None:
        """Allocate for estimates of shape `(stems, channels)`."""
        self._stride = segmentation.cut.stride_samples
        weight = _WEIGHTS[segmentation.cut.fade]
        self._slope_samples, self._weight = weight(segmentation, device)
        self._sum = torch.zeros(*rows, 0, device=device)
        self._sum_weight = torch.zeros(0, device=device)

    def add(self, segment: Segment, estimate: Tensor, *, is_final: bool) -> Tensor:
        """Add the next segment and return the finished samples, shape `(stems, channels, samples)`.

        `estimate` is the output for its window, shape `(stems, channels, window)`. After one that
        `is_final`, no other follows.
        """
        weight = self._weight_of(segment)
        weighted = weight * segment.trim(estimate)
        shared = self._sum.shape[-1]
        weighted[..., :shared] += self._sum
        total_weight = weight.clone()
        total_weight[:shared] += self._sum_weight
        done = segment.length if is_final else min(self._stride, segment.length)
        self._sum, self._sum_weight = weighted[..., done:], total_weight[done:]
        return weighted[..., :done] / total_weight[:done]

    def _weight_of(self, segment: Segment) -> Tensor:
        """Return the weights of a segment; at the song's ends nothing is faded."""
        slope = self._slope_samples
        if slope and (segment.is_first or segment.is_last):
            weight = self._weight.clone()
            if segment.is_first:
                weight[:slope].fill_(1)
            if segment.is_last:
                weight[-slope:].fill_(1)
            return weight[: segment.length]
        return self._weight[: segment.length]


def _triangle(segmentation: Segmentation, device: torch.device) -> tuple[int, Tensor]:
    samples = segmentation.segment_samples
    rising = torch.arange(1, samples // 2 + 1, device=device)
    falling = torch.arange(samples - samples // 2, 0, -1, device=device)
    weight = torch.cat([rising, falling])
    return 0, weight / weight.max()


def _slopes(segmentation: Segmentation, device: torch.device) -> tuple[int, Tensor]:
    samples = segmentation.segment_samples
    # A longer slope than the overlap would leave samples without weight.
    slope = min(samples // _SLOPE_SHARE, segmentation.overlap_samples)
    weight = torch.ones(samples, device=device)
    weight[:slope] = torch.linspace(0, 1, slope, device=device)
    weight[samples - slope :] = torch.linspace(1, 0, slope, device=device)
    return slope, weight


_WEIGHTS = {"triangle": _triangle, "slopes": _slopes}
"""Length of a slope that the song's ends lack, and weights of a segment, for each fade."""
