"""How long what is left will take, by what was done so far."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Pace:
    """Counts bytes of songs: the only thing that is known of a song before it is opened.

    Attributes:
        left_bytes: of songs that were not looked at yet.
        worked_bytes, worked_s: of songs that were made in this run.
    """

    left_bytes: int
    worked_bytes: int = 0
    worked_s: float = 0.0

    def passed(self, size_bytes: int) -> None:
        """A song needed no work, or could not be worked on."""
        self.left_bytes -= size_bytes

    def worked(self, size_bytes: int, seconds: float) -> None:
        """A song was made."""
        self.left_bytes -= size_bytes
        self.worked_bytes += size_bytes
        self.worked_s += seconds

    @property
    def left_s(self) -> float | None:
        """Seconds that the rest will take if all of it needs work; None before the first song."""
        if self.worked_bytes == 0:
            return None
        return self.worked_s * self.left_bytes / self.worked_bytes
