"""Output of `mashup reprocess`: one line per song, and a summary."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from mashup_worker.commands.shared.output import Output, failure_document
from mashup_worker.commands.shared.progress import Bars

if TYPE_CHECKING:
    from mashup_worker.commands.shared.inputs import FoundSongs
    from mashup_worker.errors import MashupError

Outcome = Literal["processed", "existing", "duplicate", "planned", "failed", "enqueued", "followed"]
_WORDS: dict[Outcome, str] = {
    "processed": "processed",
    "existing": "already processed",
    "duplicate": "duplicate",
    "planned": "to process",
    "failed": "failed",
    "enqueued": "enqueued",
    "followed": "already in the queue",
}


@dataclass
class ReprocessPrinter(Output):
    """Printer and counter of outcomes.

    Attributes:
        counts: number of songs by outcome.
        failed: errors by source.
        bars: progress bars to hide while a line is printed.
        plans: bytes and claimed seconds of songs that a dry run would process.
        left_out: number of files that are not audio.
    """

    counts: Counter[Outcome] = field(default_factory=Counter)
    failed: dict[str, MashupError] = field(default_factory=dict)
    bars: Bars = field(default_factory=lambda: Bars(None))
    plans: list[tuple[int, float]] = field(default_factory=list)
    left_out: int = 0

    def start(self, found: FoundSongs) -> None:
        """Print how many files are left out, and count them for the summary."""
        self.left_out = len(found.left_out)
        self.note(found)

    def outcome(self, name: str, outcome: Outcome, text: str = "", **facts: Any) -> None:
        """Print the outcome of a song, with `text` for people and `facts` for JSON."""
        self.counts[outcome] += 1
        with self.bars.aside():
            self.json({"input": name, "outcome": outcome, **facts})
            self.line(f"{name}: {_WORDS[outcome]}{text}")

    def planned(self, name: str, size_bytes: int, claimed_s: float | None, **facts: Any) -> None:
        """Print that a song would be processed; `claimed_s` is None without a stated duration."""
        self.plans.append((size_bytes, claimed_s or 0.0))
        duration_s = None if claimed_s is None else round(claimed_s, 3)
        self.outcome(name, "planned", bytes=size_bytes, claimed_duration_s=duration_s, **facts)

    def failure_of(self, name: str, error: MashupError, code: str | None = None) -> None:
        """Print the failure of a song, and keep it for the summary; `code` replaces the error's."""
        self.counts["failed"] += 1
        self.failed[name] = error
        text = error.message if name in error.message else f"{name}: {error.message}"
        with self.bars.aside():
            self.error(text)
            self.json({"input": name, "outcome": "failed", **failure_document(error, code)})

    def summary(self, songs: int) -> None:
        """Print the counts and the failed songs."""
        totals: dict[str, float] = {"left_out": self.left_out}
        text = ""
        if self.plans:
            size_bytes, claimed_s = (sum(column) for column in zip(*self.plans, strict=True))
            totals |= {"planned_bytes": size_bytes, "planned_s": round(claimed_s, 3)}
            text = f"; {duration_text(claimed_s)} of audio, {size_bytes:,} bytes"
        self.json({"songs": songs, **{name: self.counts[name] for name in _WORDS}, **totals})
        parts = [f"{count} {_WORDS[name]}" for name, count in self.counts.items()]
        counted = ", ".join(parts) or "nothing to do"
        self.line(f"{songs} song{'s' * (songs != 1)}: {counted}{text}")
        if self.failed:
            self.error(f"{len(self.failed)} of {songs} failed: {', '.join(self.failed)}")


def duration_text(seconds: float) -> str:
    """Return an approximate duration as text."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5_400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.1f} h"


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
