"""Reports of worker processes to their supervisor: one line of JSON each on standard output.

Worker processes may die, and their counters would die with them. So the supervisor, which outlives
them, counts and serves the metrics.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Outcome = Literal["completed", "failed", "canceled", "retried", "released", "lost"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

_MAX_LINE_BYTES = 4_096
"""Size up to which a write to a pipe is atomic."""


@dataclass(frozen=True, kw_only=True)
class AttemptReport:
    """Report of an ended attempt.

    Attributes:
        tier: tier of the job's user; `none` for jobs without a user.
        outcome: `lost` if the job no longer belonged to the worker.
        code: error code; empty without an error.
        seconds: time from the claim to the end.
        device_s: seconds that occupied the device.
        audio_s: duration of the audio that was written or analyzed.
        reused: whether the results of an earlier job were copied.
        halvings: number of batches that were halved because they exceeded the memory.
    """

    job_type: str
    tier: str
    outcome: Outcome
    code: str = ""
    seconds: float = 0.0
    stages_s: Mapping[str, float] = field(default_factory=dict)
    device_s: float = 0.0
    audio_s: float = 0.0
    reused: bool = False
    halvings: int = 0


@dataclass(frozen=True, kw_only=True)
class HealthReport:
    """Report of a process's health, sent every few seconds.

    Attributes:
        memory_bytes: resident memory.
        device_bytes: memory of the CUDA device as `allocated`, `reserved`, `free` and `total`;
            empty without a device.
        device_name: name of the CUDA device.
        unreachable: names of services that do not answer.
    """

    memory_bytes: int
    device_bytes: Mapping[str, int] = field(default_factory=dict)
    device_name: str | None = None
    unreachable: tuple[str, ...] = ()


Report = AttemptReport | HealthReport
_KINDS: dict[str, type[AttemptReport | HealthReport]] = {
    "attempt": AttemptReport,
    "health": HealthReport,
}


def encode_report(report: Report) -> str:
    """Return a report as a line."""
    kind = next(name for name, one in _KINDS.items() if isinstance(report, one))
    return json.dumps({kind: asdict(report)}) + "\n"


def decode_report(line: str) -> Report | None:
    """Return the report in a line; None for any other line."""
    if not line.startswith("{"):
        return None
    try:
        ((kind, values),) = json.loads(line).items()
        return _KINDS[kind](**values)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def report_writer(descriptor: int) -> Callable[[Report], None]:
    """Return a function that writes reports to a pipe and drops them while the pipe is full.

    The pipe becomes non-blocking.
    """
    os.set_blocking(descriptor, False)

    def write(report: Report) -> None:
        line = encode_report(report).encode()
        if len(line) > _MAX_LINE_BYTES:
            return
        try:
            os.write(descriptor, line)
        except OSError:  # full, or closed by the reader
            return

    return write
