"""What a lane tells its supervisor, a line of JSON each.

Lanes die; what they counted must not. So a lane counts nothing: it tells what happened through its
standard output, and the supervisor, which has no models and lives on, counts and answers scrapes.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Outcome = Literal["completed", "failed", "canceled", "retried", "handed_back", "lost"]
OUTCOMES: tuple[Outcome, ...] = (
    *("completed", "failed", "canceled", "retried", "handed_back", "lost"),
)

_MOST_BYTES = 4_096
"""What a pipe takes in one piece, or not at all."""


@dataclass(frozen=True)
class AttemptReport:
    """How an attempt ended.

    Attributes:
        job_type: of the job.
        tier: of the job's user; `none` for jobs of nobody.
        outcome: what became of it; `lost` where the job was no longer ours.
        code: of the error, empty where there was none.
        seconds: from the claim to the end.
        stages_s: seconds of each stage.
        device_s: seconds of the device.
        sound_s: seconds of the sound that was made or looked at.
        reused: whether the result is an earlier job's.
        halvings: how often a batch was too large for the memory.
    """

    job_type: str
    tier: str
    outcome: Outcome
    code: str = ""
    seconds: float = 0.0
    stages_s: Mapping[str, float] = field(default_factory=dict)
    device_s: float = 0.0
    sound_s: float = 0.0
    reused: bool = False
    halvings: int = 0


@dataclass(frozen=True)
class VitalsReport:
    """How a lane does, told every few seconds.

    Attributes:
        memory_bytes: resident.
        device_bytes: memory of its device by kind, `allocated`, `reserved`, `free` and `total`;
            empty where it uses none of its own.
        away: services that did not answer it.
    """

    memory_bytes: int
    device_bytes: Mapping[str, int] = field(default_factory=dict)
    away: tuple[str, ...] = ()


Report = AttemptReport | VitalsReport
_KINDS: dict[str, type[AttemptReport | VitalsReport]] = {
    "attempt": AttemptReport,
    "vitals": VitalsReport,
}


def line_of(report: Report) -> str:
    """A report as a line."""
    kind = next(name for name, one in _KINDS.items() if isinstance(report, one))
    return json.dumps({kind: asdict(report)}) + "\n"


def report_of(line: str) -> Report | None:
    """The report of a line; None for any other line."""
    if not line.startswith("{"):
        return None
    try:
        ((kind, values),) = json.loads(line).items()
        return _KINDS[kind](**values)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def teller(descriptor: int) -> Callable[[Report], None]:
    """Tells through a pipe, and never waits for it: what a full pipe does not take is dropped.

    Args:
        descriptor: of the pipe, which is made non-blocking.
    """
    os.set_blocking(descriptor, False)

    def tell(report: Report) -> None:
        line = line_of(report).encode()
        if len(line) > _MOST_BYTES:
            return
        try:
            os.write(descriptor, line)
        except OSError:  # full, or nobody reads any more
            return

    return tell
