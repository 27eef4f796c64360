"""What the fake device finds, with the line of this repository that caused it."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Literal, NamedTuple, NoReturn

if TYPE_CHECKING:
    from types import FrameType

Kind = Literal["error", "race", "alias", "tf32", "read", "copy", "wait", "search"]

DEFECTS: frozenset[Kind] = frozenset({"error", "race", "alias", "tf32"})
"""Kinds that are wrong wherever they are found; the others are costs."""

LOCK = RLock()
"""Held while the fake device works."""

_ROOT = f"{Path(__file__).parents[2]}/"
_SOURCES = tuple(f"{_ROOT}{folder}/" for folder in ("mashup_worker", "benchmarks", "tests"))
_OWN = f"{Path(__file__).parent}/"


class FakeCudaError(RuntimeError):
    """An error that a CUDA device would raise."""


class Finding(NamedTuple):
    """A defect or a cost.

    Attributes:
        kind: `error` for what raises, `race` for what depends on timing, `alias` for a stream in
            use under two names, `tf32` for an fp32 product that may run in TF32; as costs, `read`
            and `wait` of the host, `copy` that blocks it, `search` for a convolution's algorithm.
        message: the defect.
        place: the innermost line of this repository.
    """

    kind: Kind
    message: str
    place: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}, at {self.place}"


FOUND: Counter[Finding] = Counter()
"""How often each finding occurred."""


def found(*kinds: str) -> Counter[Finding]:
    """Return the findings of these kinds so far."""
    with LOCK:
        return Counter({one: count for one, count in FOUND.items() if one.kind in kinds})


def note(kind: Kind, message: str, place: str | None = None) -> None:
    """Record a finding, by default at the calling line."""
    with LOCK:
        FOUND[Finding(kind, message, place or here())] += 1


def fail(message: str) -> NoReturn:
    """Record an error and raise it."""
    note("error", message)
    raise FakeCudaError(f"{message}, at {here()}")


def here() -> str:
    """Return the innermost line of this repository that led to the call."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith(_SOURCES) and not path.startswith(_OWN):
            return f"{path.removeprefix(_ROOT)}:{frame.f_lineno} in {frame.f_code.co_name}"
        frame = frame.f_back
    return "elsewhere"
