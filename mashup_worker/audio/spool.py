"""Storage of sound that may exceed the memory."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from tempfile import SpooledTemporaryFile
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from mashup_worker.errors import StorageFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Self

_BYTES_PER_SAMPLE = 4


class Spool:
    """Sound that is appended to and read at any position, in memory while small, then on disk.

    The file on disk has no name, so it disappears with the process. Use the spool as a context
    manager. Several threads may read it at the same time.

    Args:
        sample_rate: sample rate in Hz.
        channels: number of channels.
        memory_bytes: size up to which the samples stay in memory.
        folder: folder of the file on disk; the system's temporary folder when None.
    """

    def __init__(
        self,
        sample_rate: int,
        channels: int,
        *,
        memory_bytes: int = 256 << 20,
        folder: Path | None = None,
    ) -> None:
        self._sample_rate = sample_rate
        self._channels = channels
        self._length_samples = 0
        self._folder = folder
        self._lock = Lock()
        self._file = SpooledTemporaryFile(  # noqa: SIM115 - closed by `close`
            max_size=max(1, memory_bytes),  # 0 would mean no limit.
            dir=None if folder is None else str(folder),
        )

    @property
    def sample_rate(self) -> int:
        """Sample rate in Hz."""
        return self._sample_rate

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self._channels

    @property
    def length_samples(self) -> int:
        """Samples per channel so far."""
        return self._length_samples

    def append(self, samples: Tensor) -> None:
        """Append samples of shape `(channels, samples)`.

        Raises:
            StorageFailed: the disk is full.
        """
        if samples.shape[0] != self._channels:
            raise ValueError(f"{samples.shape[0]} channels for a spool of {self._channels}")
        # Copying channel by channel is several times faster than a transposed copy.
        frames = np.empty((samples.shape[1], self._channels), np.float32)
        for number, channel in enumerate(samples.detach().to("cpu", torch.float32).numpy()):
            frames[:, number] = channel
        with self._position(self._length_samples):
            self._file.write(frames.data)
        self._length_samples += samples.shape[1]

    def read(self, start: int, stop: int) -> Tensor:
        """Return samples `start` to `stop`, shape `(channels, stop - start)`."""
        if not 0 <= start <= stop <= self._length_samples:
            raise IndexError(f"samples {start} to {stop} of {self._length_samples}")
        with self._position(start):
            data = self._file.read((stop - start) * self._frame_bytes)
        frames = np.frombuffer(data, np.float32).reshape(-1, self._channels)
        # NumPy is several times faster than torch at this transposed copy.
        return torch.from_numpy(np.array(frames.T, order="C"))

    def close(self) -> None:
        """Free the memory or the disk space."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _frame_bytes(self) -> int:
        return self._channels * _BYTES_PER_SAMPLE

    @contextmanager
    def _position(self, sample: int) -> Iterator[None]:
        """Seek to `sample` and hold the file for this thread."""
        try:
            with self._lock:
                self._file.seek(sample * self._frame_bytes)
                yield
        except OSError as error:
            raise self._cannot_store(error) from error

    def _cannot_store(self, error: OSError) -> StorageFailed:
        # `gettempdir` would raise if no temporary folder is usable.
        folder = self._folder or tempfile.tempdir or "temporary folder"
        remedy = "free some space" if self._folder else "set TMPDIR to a folder with more space"
        return StorageFailed(f"{folder}: cannot store samples: {error.strerror or error}; {remedy}")
