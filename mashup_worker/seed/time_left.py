"""Estimate of the remaining time of a run over many songs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class TimeLeft:
    """Estimate by the bytes of the files, because durations are unknown before files are opened.

    Attributes:
        remaining_bytes: size of the songs that are not done.
        processed_bytes: size of the songs that this run has processed.
        processed_s: seconds spent on them.
    """

    remaining_bytes: int
    processed_bytes: int = 0
    processed_s: float = 0.0

    def skip(self, size_bytes: int) -> None:
        """Count a song that needed no processing, or failed."""
        self.remaining_bytes -= size_bytes

    def add(self, size_bytes: int, seconds: float) -> None:
        """Count a processed song."""
        self.remaining_bytes -= size_bytes
        self.processed_bytes += size_bytes
        self.processed_s += seconds

    @property
    def remaining_s(self) -> float | None:
        """Seconds that the rest takes if all of it needs processing; None before the first song."""
        if self.processed_bytes == 0:
            return None
        return self.processed_s * self.remaining_bytes / self.processed_bytes
