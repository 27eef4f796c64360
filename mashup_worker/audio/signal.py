"""Sound in memory, and the interface through which engines read sound."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor


class SampleSource(Protocol):
    """Sound whose samples are read by position, in memory or on disk.

    Engines read songs through this interface, so that an hour of sound does not fill the memory.
    """

    @property
    def sample_rate(self) -> int:
        """Sample rate in Hz."""
        ...

    @property
    def channels(self) -> int:
        """Number of channels, 1 or more."""
        ...

    @property
    def length_samples(self) -> int:
        """Samples per channel."""
        ...

    def read(self, start: int, stop: int) -> Tensor:
        """Return samples `start` to `stop` (exclusive), which lie inside the sound.

        Shape: `(channels, stop - start)`, float32, on the CPU unless the source documents another
        device.
        """
        ...


@dataclass(frozen=True, eq=False)
class Audio:
    """Sound in memory.

    Attributes:
        samples: float32 tensor of shape `(channels, samples)`; full scale is ±1.0.
        sample_rate: sample rate in Hz.
    """

    samples: Tensor
    sample_rate: int

    @property
    def channels(self) -> int:
        """Number of channels."""
        return int(self.samples.shape[0])

    @property
    def length_samples(self) -> int:
        """Samples per channel."""
        return int(self.samples.shape[1])

    @property
    def duration_s(self) -> float:
        """Duration in seconds."""
        return self.length_samples / self.sample_rate

    def read(self, start: int, stop: int) -> Tensor:
        """Return a view of samples `start` to `stop`, shape `(channels, stop - start)`."""
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
        with open_writer(
            Path(path), options, sample_rate=self.sample_rate, channels=self.channels
        ) as writer:
            writer.write(self.samples)


@dataclass(frozen=True, eq=False)
class ScaledSource:
    """Source whose samples are multiplied by a gain when they are read. A `SampleSource`."""

    source: SampleSource
    gain: float

    @property
    def sample_rate(self) -> int:
        """Sample rate in Hz."""
        return self.source.sample_rate

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.source.channels

    @property
    def length_samples(self) -> int:
        """Samples per channel."""
        return self.source.length_samples

    def read(self, start: int, stop: int) -> Tensor:
        """Return scaled samples `start` to `stop`, shape `(channels, stop - start)`."""
        return self.gain * self.source.read(start, stop)


_SPAN_SAMPLES = 1 << 18


def spans(source: SampleSource) -> Iterator[tuple[int, int]]:
    """Yield start and stop of consecutive pieces of a few seconds that cover `source`."""
    length = source.length_samples
    for start in range(0, length, _SPAN_SAMPLES):
        yield start, min(length, start + _SPAN_SAMPLES)
