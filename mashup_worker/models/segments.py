"""How a song is cut into the pieces that a Demucs network sees, and put together again.

The cut follows Demucs (Défossez 2021, `demucs.apply.apply_model`), so that results can be
compared sample by sample. Segments of a fixed length start every `stride` samples. A network may
want a longer window than the segment it is asked for: the window is then centred on the segment,
takes what the song holds on both sides, and zeros where the song has ended. The last segment is
short; for networks with a fixed input length that makes it the most off-centre case.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor


@dataclass(frozen=True)
class Segment:
    """One piece of a song. Positions are samples from the song's start, and may lie outside it.

    Attributes:
        start: first sample whose estimate is used.
        length: samples whose estimate is used.
        window_start: first sample that the network sees.
        window_length: samples that the network sees.
    """

    start: int
    length: int
    window_start: int
    window_length: int

    def trim(self, estimate: Tensor) -> Tensor:
        """The used part of a network's output, shape `(..., window)` to `(..., length)`."""
        offset = self.start - self.window_start
        return estimate[..., offset : offset + self.length]


@dataclass(frozen=True)
class Segmentation:
    """The rule that cuts a song for one network.

    Attributes:
        segment_samples: length of all segments but the last.
        overlap: share of a segment that the next one covers again, 0 up to but not 1.
        window_samples: length of the window that the network wants for a segment's length.
    """

    segment_samples: int
    overlap: float
    window_samples: Callable[[int], int]

    @property
    def stride_samples(self) -> int:
        """Distance between the starts of neighbouring segments."""
        return max(1, int((1 - self.overlap) * self.segment_samples))

    def count(self, start: int, stop: int) -> int:
        """Number of segments that cover samples `start` to `stop`."""
        return -(-(stop - start) // self.stride_samples)

    def segments(self, start: int, stop: int) -> Iterator[Segment]:
        """The segments that cover samples `start` to `stop`, in order."""
        for position in range(start, stop, self.stride_samples):
            length = min(self.segment_samples, stop - position)
            window = self.window_samples(length)
            yield Segment(position, length, position - (window - length) // 2, window)


class CrossFade:
    """Cross-fades the estimates of overlapping segments with triangular weights.

    Estimates come in order; whatever no later segment can touch is handed out at once, so the
    memory held is that of one segment, not of the song.
    """

    def __init__(self, rows: tuple[int, int], segment_samples: int, device: torch.device) -> None:
        """Make room for estimates of `rows`, that is `(stems, channels)`."""
        rising = torch.arange(1, segment_samples // 2 + 1, device=device)
        falling = torch.arange(segment_samples - segment_samples // 2, 0, -1, device=device)
        weight = torch.cat([rising, falling])
        self._weight = weight / weight.max()
        self._sum = torch.zeros(*rows, 0, device=device)
        self._sum_weight = torch.zeros(0, device=device)

    def add(self, segment: Segment, estimate: Tensor, next_start: int | None) -> Tensor:
        """Add a segment and take what is finished.

        Args:
            segment: it follows the one before.
            estimate: what the network made of its window, shape `(stems, channels, window)`.
            next_start: where the next segment will start, or None if there is none.

        Returns:
            The next finished samples, shape `(stems, channels, samples)`.
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
