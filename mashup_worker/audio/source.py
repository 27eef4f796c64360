"""What every decoder hands on, whichever library is behind it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mashup_worker.errors import InvalidInput, StorageFailed, UnsupportedAudio

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    Block = NDArray[np.float32]

_MAX_BLOCK_VALUES = 1 << 21
"""Bounds a block whose header claims hundreds of channels or a rate of many megahertz."""

_MISSING_TOLERANCE_S = 0.05
"""Sloppy headers are off by this much; a truncated song lacks more."""

RATES_HZ = range(1_000, 768_001)


@dataclass(frozen=True)
class AudioInfo:
    """What a file says of itself.

    Attributes:
        path: the file.
        container: file format, such as `"WAV"`, `"FLAC"` or `"matroska"`.
        codec: how samples are coded, such as `"PCM_16"`, `"VORBIS"` or `"aac"`.
        rate_hz: samples a second.
        channels: channels in the file, before any folding.
        claimed_duration_s: seconds by the header, which may lie; None where it doesn't say.
    """

    path: Path
    container: str
    codec: str
    rate_hz: int
    channels: int
    claimed_duration_s: float | None


class PcmSource(Protocol):
    """An open file that yields its samples once, from the start to the end."""

    @property
    def info(self) -> AudioInfo:
        """What the file says of itself."""
        ...

    @property
    def vorbis_order(self) -> bool:
        """Whether channels come in the order of Vorbis instead of WAV."""
        ...

    def blocks(self) -> Iterator[Block]:
        """Yield float32 arrays of shape `(samples, channels)`, about a second each.

        Raises:
            UnsupportedAudio: the file is damaged, or ends before its header says.
            StorageFailed: the disk can't be read.
        """
        ...

    def close(self) -> None:
        """Give back files and processes."""
        ...


def regular_file_size(path: Path) -> int:
    """Bytes in the file at `path`.

    Raises:
        InvalidInput: nothing is there, it isn't a file, it is empty, or it can't be read.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise cannot_open(path, error) from error
    if stat.S_ISDIR(status.st_mode):
        raise InvalidInput(f"{path} is a folder")
    if not stat.S_ISREG(status.st_mode):
        raise InvalidInput(f"{path} is not a regular file")
    if not status.st_size:
        raise InvalidInput(f"{path} is empty")
    if not os.access(path, os.R_OK):
        raise InvalidInput(f"{path} can't be read: permission denied")
    return status.st_size


def cannot_open(path: Path, error: OSError) -> InvalidInput:
    """The error for a file that could not be opened, naming it and the reason."""
    return InvalidInput(f"{path}: {error.strerror or error}")


def cannot_read(path: Path, error: OSError) -> StorageFailed:
    """The error for a file whose bytes could not be read, naming it and the reason."""
    return StorageFailed(f"can't read {path}: {error.strerror or error}")


def block_samples(rate_hz: int, channels: int) -> int:
    """Samples a channel in one block: about a second, fewer where that would be very large."""
    return max(1, min(rate_hz, _MAX_BLOCK_VALUES // channels))


def check_form(info: AudioInfo) -> None:
    """Raise `UnsupportedAudio` for rates and channel counts that no recording has."""
    if info.rate_hz not in RATES_HZ:
        raise UnsupportedAudio(f"{info.path} has a sample rate of {info.rate_hz} Hz")
    if info.channels < 1:
        raise UnsupportedAudio(f"{info.path} has no audio channels")


def check_complete(info: AudioInfo, frames: int, declared_frames: int | None) -> None:
    """Raise `UnsupportedAudio` where `frames` decoded fall short of those declared."""
    if declared_frames is None:
        return
    if frames + _MISSING_TOLERANCE_S * info.rate_hz < declared_frames:
        raise truncated(info, frames, declared_frames / info.rate_hz)


def truncated(info: AudioInfo, frames: int, of_s: float | None = None) -> UnsupportedAudio:
    """The error for a file that ends too early, naming it and the time."""
    whole = "" if of_s is None else f" of {of_s:.2f} s"
    return UnsupportedAudio(
        f"{info.path} is truncated: it ends after {frames / info.rate_hz:.2f} s{whole}"
    )
