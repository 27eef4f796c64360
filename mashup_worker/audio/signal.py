"""Sound in memory, and the view of sound that the engines read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor


class SampleSource(Protocol):
    """Anything whose samples can be read by position: a tensor, or a file on disk.

    Engines read songs through this, so that an hour of sound need not be in memory.
    """

    @property
    def rate_hz(self) -> int:
        """Samples a second."""
        ...

    @property
    def channels(self) -> int:
        """Number of channels, 1 or more."""
        ...

    @property
    def length_samples(self) -> int:
        """Samples a channel."""
        ...

    def read(self, start: int, stop: int) -> Tensor:
        """Samples `start` up to `stop`, which lie inside the signal.

        Shape: `(channels, stop - start)`, float32, on the CPU unless the source says otherwise.
        """
        ...


@dataclass(frozen=True, eq=False)
class Audio:
    """Sound in memory.

    Attributes:
        samples: float32 tensor of shape `(channels, samples)`; full scale is ±1.0.
        rate_hz: samples a second.
    """

    samples: Tensor
    rate_hz: int

    @property
    def channels(self) -> int:
        """Number of channels."""
        return int(self.samples.shape[0])

    @property
    def length_samples(self) -> int:
        """Samples a channel."""
        return int(self.samples.shape[1])

    @property
    def duration_s(self) -> float:
        """Seconds of sound."""
        return self.length_samples / self.rate_hz

    def read(self, start: int, stop: int) -> Tensor:
        """A view of samples `start` up to `stop`, shape `(channels, stop - start)`."""
        return self.samples[:, start:stop]

    def save(
        self, path: str | Path, *, bit_depth: int | None = None, bitrate_kbps: int | None = None
    ) -> None:
        """Write a file in the format that its extension names; samples beyond full scale clip.

        Args:
            path: file to write; missing folders are created.
            bit_depth: 16 or 24, or 32 for floating-point WAV; 16 when None.
            bitrate_kbps: of MP3 and Ogg Vorbis; 256 when None.

        Raises:
            InvalidInput: the extension names no format, or the format cannot hold the audio.
            StorageFailed: the file cannot be written.
        """
        from mashup_worker.audio.encode import open_writer
        from mashup_worker.audio.formats import encode_options

        options = encode_options(Path(path), bit_depth, bitrate_kbps)
        with open_writer(Path(path), self.rate_hz, self.channels, options) as writer:
            writer.write(self.samples)


_SPAN_SAMPLES = 1 << 18


def spans(source: SampleSource) -> Iterator[tuple[int, int]]:
    """Start and stop of pieces, some seconds long, that cover `source` in order."""
    length = source.length_samples
    for start in range(0, length, _SPAN_SAMPLES):
        yield start, min(length, start + _SPAN_SAMPLES)
