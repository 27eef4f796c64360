"""Limits on the audio that is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.errors import TooLarge, TooLong

if TYPE_CHECKING:
    from pathlib import Path

_BYTES_PER_SAMPLE = 4


@dataclass(frozen=True)
class DecodeLimits:
    """Limits that are enforced while decoding, independent of the header; None means no limit.

    Attributes:
        max_bytes: size of the file.
        max_duration_s: duration of the decoded audio.
        max_decoded_bytes: size of the decoded audio as float32 in all channels of the file.
    """

    max_bytes: int | None = None
    max_duration_s: float | None = None
    max_decoded_bytes: int | None = None

    def check_file(self, path: Path, size_bytes: int) -> None:
        """Raise `TooLarge` if a file has too many bytes."""
        if self.max_bytes is not None and size_bytes > self.max_bytes:
            raise TooLarge(f"{path}: {size_bytes:,} bytes; the limit is {self.max_bytes:,}")

    def check_decoded(self, path: Path, frames: int, channels: int, sample_rate: int) -> None:
        """Raise `TooLong` or `TooLarge` if the `frames` decoded so far exceed a limit."""
        if self.max_duration_s is not None and frames > self.max_duration_s * sample_rate:
            raise TooLong(f"{path}: longer than the limit of {self.max_duration_s:g} s")
        decoded_bytes = frames * channels * _BYTES_PER_SAMPLE
        if self.max_decoded_bytes is not None and decoded_bytes > self.max_decoded_bytes:
            raise TooLarge(
                f"{path}: decodes to more than the limit of {self.max_decoded_bytes:,} bytes"
            )
