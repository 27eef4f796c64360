"""What the fake device finds, each with the line of this repository that caused it."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Literal, NoReturn

if TYPE_CHECKING:
    from types import FrameType

Kind = Literal["error", "race", "alias", "tf32", "read", "copy", "wait", "search"]
"""Kinds of findings.

error: the device raises. race: the result depends on timing. alias: two streams in use are one.
tf32: an fp32 product may run in TF32. read: the host waits for a value. copy: a copy between host
and device blocks or uses pageable memory. wait: an explicit synchronization. search: cuDNN compares
its algorithms for a shape that is new to the thread.
"""

FATAL: frozenset[Kind] = frozenset({"error", "race", "alias", "tf32"})
"""Kinds that are defects wherever they are found; the others are costs."""

LOCK = RLock()
"""Guards the bookkeeping of the fake device."""

_ROOT = f"{Path(__file__).parents[2]}/"
_SOURCES = tuple(f"{_ROOT}{folder}/" for folder in ("mashup_worker", "benchmarks", "tests"))
_OWN = f"{Path(__file__).parent}/"


class FakeCudaError(RuntimeError):
    """An error that a CUDA device would raise."""


@dataclass(frozen=True)
class Place:
    """A line of this repository."""

    path: str
    line: int
    function: str

    @property
    def in_package(self) -> bool:
        """Whether the line is the package's own, not a test's."""
        return self.path.startswith("mashup_worker/")

    def __str__(self) -> str:
        return f"{self.path}:{self.line} in {self.function}"


@dataclass(frozen=True)
class Finding:
    """One finding."""

    kind: Kind
    message: str
    place: Place

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}, at {self.place}"


def here() -> Place:
    """Return the innermost line of this repository that led to the call."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith(_SOURCES) and not path.startswith(_OWN):
            return Place(path.removeprefix(_ROOT), frame.f_lineno, frame.f_code.co_name)
        frame = frame.f_back
    return Place("elsewhere", 0, "?")


class Findings:
    """Findings so far, and how often each occurred."""

    def __init__(self) -> None:
        self._counts: Counter[Finding] = Counter()

    def add(self, kind: Kind, message: str, place: Place | None = None) -> None:
        """Record a finding, by default at the calling line."""
        with LOCK:
            self._counts[Finding(kind, message, place or here())] += 1

    def fail(self, message: str) -> NoReturn:
        """Record an error and raise it."""
        finding = Finding("error", message, here())
        with LOCK:
            self._counts[finding] += 1
        raise FakeCudaError(str(finding))

    def of(self, *kinds: Kind) -> Counter[Finding]:
        """Return a copy of the findings of these kinds."""
        with LOCK:
            return Counter({one: n for one, n in self._counts.items() if one.kind in kinds})

    def clear(self) -> None:
        """Forget all findings."""
        with LOCK:
            self._counts.clear()


FOUND = Findings()
