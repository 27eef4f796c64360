"""How much a file may hold before decoding stops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.errors import TooLarge, TooLong

if TYPE_CHECKING:
    from pathlib import Path

_BYTES_PER_SAMPLE = 4


@dataclass(frozen=True)
class DecodeLimits:
    """Limits that hold while decoding, whatever the header claims. None switches one off.

    Attributes:
        max_bytes: size of the file.
        max_duration_s: seconds of decoded sound.
        max_decoded_bytes: size of the decoded sound as float32 in all of the file's channels.
    """

    max_bytes: int | None = None
    max_duration_s: float | None = None
    max_decoded_bytes: int | None = None

    def check_file(self, path: Path, size_bytes: int) -> None:
        """Raise `TooLarge` for a file of too many bytes."""
        if self.max_bytes is not None and size_bytes > self.max_bytes:
            raise TooLarge(f"{path} has {size_bytes:,} bytes; the limit is {self.max_bytes:,}")

    def check_decoded(self, path: Path, frames: int, channels: int, rate_hz: int) -> None:
        """Raise `TooLong` or `TooLarge` once `frames` decoded so far are too many."""
        if self.max_duration_s is not None and frames > self.max_duration_s * rate_hz:
            raise TooLong(f"{path} lasts longer than the limit of {self.max_duration_s:g} s")
        decoded_bytes = frames * channels * _BYTES_PER_SAMPLE
        if self.max_decoded_bytes is not None and decoded_bytes > self.max_decoded_bytes:
            raise TooLarge(
                f"{path} decodes to more than the limit of {self.max_decoded_bytes:,} bytes"
            )
