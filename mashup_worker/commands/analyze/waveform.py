"""Samples for the waveform plot of a song."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from mashup_worker.audio.decode import open_decoder
from mashup_worker.audio.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from mashup_worker.audio.signal import SampleSource
    from mashup_worker.commands.shared.inputs import Song


@contextmanager
def song_waveform(song: Song) -> Iterator[SampleSource]:
    """Open the samples of a song, or the sum of its stems, while the block runs.

    Raises:
        InvalidInput: a file cannot be decoded.
    """
    spools = []
    try:
        for path in song.stems.values() or [song.path]:
            with open_decoder(path) as decoder:
                spools.append(Spool(decoder.sample_rate, decoder.channels))
                for block in decoder.blocks():
                    spools[-1].append(block)
        yield _Sum(spools)
    finally:
        for spool in spools:
            spool.close()


@dataclass(frozen=True)
class _Sum:
    """Sum of parts with one sample rate; short parts are padded with silence."""

    parts: Sequence[SampleSource]

    @property
    def sample_rate(self) -> int:
        return self.parts[0].sample_rate

    @property
    def channels(self) -> int:
        return max(part.channels for part in self.parts)

    @property
    def length_samples(self) -> int:
        return max(part.length_samples for part in self.parts)

    def read(self, start: int, stop: int) -> Tensor:
        total = torch.zeros(self.channels, stop - start)
        for part in self.parts:
            end = part.length_samples
            block = part.read(min(start, end), min(stop, end))
            total += F.pad(block, (0, stop - start - block.shape[1]))
        return total
