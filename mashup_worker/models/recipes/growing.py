"""Stems that are computed while others read them, and the rest of the song without them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from mashup_worker.audio.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import ExitStack

    from torch import Tensor

    from mashup_worker.audio.signal import SampleSource


class GrowingStems:
    """Stems of a stream, computed as far as they are read.

    They stay on the device if the song is there, and else in a spool, so that memory is bounded:
    a network that measures the whole song first lets all of them be computed before it begins.
    """

    def __init__(
        self, stems: Sequence[str], blocks: Iterator[Tensor], song: SampleSource, stack: ExitStack
    ) -> None:
        """Take the blocks of `stems`, which cover `song`; `stack` frees their storage."""
        self.stems = tuple(stems)
        self._blocks = blocks
        self._shape = len(self.stems), song.channels
        self._store = _DeviceStore.of(song, len(self.stems)) or stack.enter_context(
            Spool(song.sample_rate, len(self.stems) * song.channels)
        )

    def read(self, start: int, stop: int) -> Tensor:
        """Return samples `start` to `stop`, shape `(stems, channels, stop - start)`."""
        while self._store.length_samples < stop:
            self._store.append(next(self._blocks).flatten(0, 1))
        return self._store.read(start, stop).view(*self._shape, stop - start)


class _DeviceStore:
    """Sound on a device, of known length."""

    def __init__(self, samples: Tensor) -> None:
        self._samples = samples
        self.length_samples = 0

    @classmethod
    def of(cls, song: SampleSource, stems: int) -> _DeviceStore | None:
        """Return storage on the device of the song; None for one on the host."""
        device = song.read(0, 0).device
        if device.type == "cpu":
            return None
        return cls(torch.empty(stems * song.channels, song.length_samples, device=device))

    def append(self, samples: Tensor) -> None:
        stop = self.length_samples + samples.shape[-1]
        self._samples[:, self.length_samples : stop] = samples
        self.length_samples = stop

    def read(self, start: int, stop: int) -> Tensor:
        return self._samples[:, start:stop]


@dataclass(frozen=True, eq=False)
class Remainder:
    """A sound without some stems of it. A `SampleSource`."""

    sound: SampleSource
    stems: GrowingStems

    @property
    def sample_rate(self) -> int:
        """Sample rate."""
        return self.sound.sample_rate

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.sound.channels

    @property
    def length_samples(self) -> int:
        """Samples per channel."""
        return self.sound.length_samples

    def read(self, start: int, stop: int) -> Tensor:
        """Return samples `start` to `stop`, shape `(channels, stop - start)`."""
        return self.sound.read(start, stop) - self.stems.read(start, stop).sum(0)
