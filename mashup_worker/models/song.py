"""A song as networks get it: normalized, and continued beyond its ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

if TYPE_CHECKING:
    from torch import Tensor

    from mashup_worker.audio.signal import SampleSource
    from mashup_worker.models.network import NetworkProfile
    from mashup_worker.models.segments import Segment, Segmentation

_LEVEL_BLOCK_SAMPLES = 1 << 20


@dataclass(frozen=True)
class NormalizedSong:
    """Song with zero mean and unit deviation, if its network asks for that."""

    mix: SampleSource
    mean: float = 0.0
    deviation: float = 1.0

    @classmethod
    def of(cls, mix: SampleSource, profile: NetworkProfile) -> NormalizedSong:
        """Measure the mono mix as `demucs.api` does, in double precision."""
        if profile.normalization == "none":
            return cls(mix)
        count = mix.length_samples
        sums = []
        for start in range(0, count, _LEVEL_BLOCK_SAMPLES):
            block = mix.read(start, min(count, start + _LEVEL_BLOCK_SAMPLES)).mean(0).double()
            sums.append(torch.stack([block.sum(), block.square().sum()]))
        total, squares = torch.stack(sums).sum(0).tolist()  # the only wait for the device
        mean = total / count
        variance = max(0.0, squares - count * mean * mean) / max(1, count - 1)
        return cls(mix, mean, variance**0.5 + 1e-8)

    def restored(self, stems: Tensor) -> Tensor:
        """Return stems of the normalized song at the level of the song."""
        return stems * self.deviation + self.mean

    def window(self, segment: Segment, segmentation: Segmentation) -> Tensor:
        """Return the input of a network, shape `(channels, segment.window_length)`."""
        margin = segmentation.margin(self.mix.length_samples)
        first, end = -margin, self.mix.length_samples + margin
        window_stop = segment.window_start + segment.window_length
        start = min(max(first, segment.window_start), window_stop)
        stop = max(start, min(end, window_stop))
        samples = (self._reflected(start, stop) - self.mean) / self.deviation
        before, after = start - segment.window_start, window_stop - stop
        # A window that is more than half empty has too little to reflect.
        fills = segmentation.cut.edges == "reflection" and not before
        if fills and segment.length > segment.window_length // 2:
            return F.pad(samples, (0, after), "reflect") if after else samples
        return F.pad(samples, (before, after))

    def _reflected(self, start: int, stop: int) -> Tensor:
        """Return samples `start` to `stop` of the song reflected at both ends."""
        length = self.mix.length_samples
        if start == stop:
            return self.mix.read(0, 0)
        parts = []
        if start < 0:
            parts.append(self.mix.read(1 - min(stop, 0), 1 - start).flip(-1))
        if max(start, 0) < min(stop, length):
            parts.append(self.mix.read(max(start, 0), min(stop, length)))
        if stop > length:
            last = 2 * (length - 1)
            parts.append(self.mix.read(last - stop + 1, last - max(start, length) + 1).flip(-1))
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)
