"""Log lines of long-running commands, with the job that each concerns."""

from __future__ import annotations

import json
import logging
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mashup_worker import tracing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LogFormat = Literal["text", "json"]

_TIME = "%Y-%m-%dT%H:%M:%S"


@dataclass(frozen=True)
class _Job:
    """Job that this process runs."""

    job: str
    attempt: int
    stage: Callable[[], str | None]


_current: _Job | None = None
"""Job of the process, not of a thread, since the lease and the uploads have their own threads."""


@contextmanager
def logging_job(job: str, attempt: int, stage: Callable[[], str | None]) -> Iterator[None]:
    """Add a job to all log lines of this process while the block runs.

    Args:
        job: id.
        attempt: number of the attempt.
        stage: returns the current stage.
    """
    global _current
    _current = _Job(job, attempt, stage)
    try:
        yield
    finally:
        _current = None


def log_to_stderr(log_format: LogFormat = "text", level: int = logging.INFO) -> None:
    """Write the log lines of this package to standard error.

    Args:
        log_format: `text`, or `json` for one object per line.
        level: lowest level that is written.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines() if log_format == "json" else _TextLines())
    ours = logging.getLogger("mashup_worker")
    ours.handlers[:] = [handler]
    ours.setLevel(level)
    ours.propagate = False
    # RQ and the connection pool would log each outage a second time.
    for name in ("rq.worker", "psycopg.pool"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _job_fields() -> dict[str, Any]:
    """Return the fields of the current job."""
    if _current is None:
        return {}
    return {"job": _current.job, "attempt": _current.attempt, "stage": _current.stage()}


def fields(**values: Any) -> dict[str, Any]:
    """Return the `extra` of a log call that adds fields to its JSON line."""
    return {"fields": values}


class _TextLines(logging.Formatter):
    """Lines of time in UTC, level, logger, message, and the current job."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", f"{_TIME}Z")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        """Return the line, which precedes a traceback."""
        fields = " ".join(f"{name}={value}" for name, value in _job_fields().items() if value)
        return super().formatMessage(record) + (f" [{fields}]" if fields else "")


class _JsonLines(logging.Formatter):
    """Lines of one JSON object; a traceback is one of its strings."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": f"{self.formatTime(record, _TIME)}.{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
            **_job_fields(),
            **getattr(record, "fields", {}),
        }
        traceparent = tracing.current_traceparent()
        if traceparent is not None:
            line["traceparent"] = traceparent
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)
