"""Log lines of the long-running commands, each with the job that it is about."""

from __future__ import annotations

import json
import logging
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LogFormat = Literal["text", "json"]

_TIME = "%Y-%m-%dT%H:%M:%S"


@dataclass(frozen=True)
class _Job:
    """The job that a process has."""

    job: str
    attempt: int
    stage: Callable[[], str | None]


_current: _Job | None = None
"""Of the process, not of a thread: the lease and the uploads of a job have threads of their own."""


@contextmanager
def logging_job(job: str, attempt: int, stage: Callable[[], str | None]) -> Iterator[None]:
    """Lines of this process are about a job, while a `with` block lasts.

    Args:
        job: its id.
        attempt: its number.
        stage: tells the stage that it is in.
    """
    global _current
    _current = _Job(job, attempt, stage)
    try:
        yield
    finally:
        _current = None


def log_to_stderr(log_format: LogFormat = "text", level: int = logging.INFO) -> None:
    """Write our own log lines to standard error.

    Args:
        log_format: `text`, or `json` for an object a line.
        level: what is left out below.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines() if log_format == "json" else _TextLines())
    ours = logging.getLogger("mashup_worker")
    ours.handlers[:] = [handler]
    ours.setLevel(level)
    ours.propagate = False
    # RQ and the pool tell of outages in their own words, beside ours.
    for name in ("rq.worker", "psycopg.pool"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _about() -> dict[str, Any]:
    """What this process has to do now."""
    if _current is None:
        return {}
    return {"job": _current.job, "attempt": _current.attempt, "stage": _current.stage()}


class _TextLines(logging.Formatter):
    """Time in UTC, level, room, message, and the job where there is one."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", f"{_TIME}Z")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        """The line, before the traceback if there is one."""
        about = " ".join(f"{name}={value}" for name, value in _about().items() if value)
        return super().formatMessage(record) + (f" [{about}]" if about else "")


class _JsonLines(logging.Formatter):
    """An object a line; a traceback is one string of it."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "time": f"{self.formatTime(record, _TIME)}.{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
            **_about(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)
