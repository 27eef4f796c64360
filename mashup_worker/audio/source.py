"""Interface of the decoders, and the checks that they share."""

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

    from mashup_worker.audio.layouts import Speakers

    Block = NDArray[np.float32]

_MAX_BLOCK_VALUES = 1 << 21
"""Limit of a block, for headers that claim hundreds of channels or a rate of many megahertz."""

_MISSING_TOLERANCE_S = 0.05
"""Error of sloppy headers; a truncated song lacks more."""

RATES_HZ = range(1_000, 768_001)
"""Sample rates that are accepted."""


@dataclass(frozen=True)
class AudioInfo:
    """Header of an audio file.

    Attributes:
        path: the file.
        container: file format, such as `"WAV"`, `"FLAC"` or `"matroska"`.
        codec: coding of the samples, such as `"PCM_16"`, `"VORBIS"` or `"aac"`.
        sample_rate: sample rate in Hz.
        speakers: speaker of each channel in the file, before the downmix.
        claimed_duration_s: duration that the header declares, which may be wrong; None where it
            declares none.
    """

    path: Path
    container: str
    codec: str
    sample_rate: int
    speakers: Speakers
    claimed_duration_s: float | None

    @property
    def channels(self) -> int:
        """Channels in the file, before the downmix."""
        return len(self.speakers)


class PcmSource(Protocol):
    """Open audio file that yields its samples once, from the start to the end."""

    @property
    def info(self) -> AudioInfo:
        """Header of the file."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """Missing and ignored parts of the file, with times; complete after the last block."""
        ...

    def blocks(self) -> Iterator[Block]:
        """Yield float32 arrays of shape `(samples, channels)`, about a second each.

        Raises:
            UnsupportedAudio: the file is damaged, or shorter than its header declares.
            StorageFailed: the disk cannot be read.
        """
        ...

    def close(self) -> None:
        """Close files and end processes."""
        ...


def regular_file_size(path: Path) -> int:
    """Return the size of a file in bytes.

    Raises:
        InvalidInput: the path is missing, not a regular file, empty or unreadable.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise cannot_open(path, error) from error
    if stat.S_ISDIR(status.st_mode):
        raise InvalidInput(f"{path}: a folder instead of a file")
    if not stat.S_ISREG(status.st_mode):
        raise InvalidInput(f"{path}: not a regular file")
    if not status.st_size:
        raise InvalidInput(f"{path}: empty file; copy or download it again")
    if not os.access(path, os.R_OK):
        raise InvalidInput(f"{path}: permission denied")
    return status.st_size


def cannot_open(path: Path, error: OSError) -> InvalidInput:
    """Return the error for a file that could not be opened."""
    return InvalidInput(f"{path}: {error.strerror or error}")


def cannot_read(path: Path, error: OSError) -> StorageFailed:
    """Return the error for a file whose bytes could not be read."""
    return StorageFailed(f"{path}: cannot read: {error.strerror or error}")


def block_samples(sample_rate: int, channels: int) -> int:
    """Return the samples per channel of a block: one second, or fewer if that is very large."""
    return max(1, min(sample_rate, _MAX_BLOCK_VALUES // channels))


def check_form(info: AudioInfo) -> None:
    """Raise `UnsupportedAudio` for sample rates and channel counts that no recording has."""
    if info.sample_rate not in RATES_HZ:
        raise UnsupportedAudio(f"{info.path}: unsupported sample rate of {info.sample_rate} Hz")
    if info.channels < 1:
        raise UnsupportedAudio(f"{info.path}: no audio channels")


def check_complete(info: AudioInfo, frames: int, declared_frames: int | None) -> None:
    """Raise `UnsupportedAudio` if fewer frames were decoded than the header declares."""
    if declared_frames is None:
        return
    if frames + _MISSING_TOLERANCE_S * info.sample_rate < declared_frames:
        raise truncated(info, frames, declared_frames / info.sample_rate)


def truncated(info: AudioInfo, frames: int, of_s: float | None = None) -> UnsupportedAudio:
    """Return the error for a file that ends too early."""
    whole = "" if of_s is None else f" of {of_s:.2f} s"
    return UnsupportedAudio(
        f"{info.path}: truncated after {frames / info.sample_rate:.2f} s{whole}"
    )
