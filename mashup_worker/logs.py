"""Log lines of the long-running commands."""

from __future__ import annotations

import logging
import sys
import time


def log_to_stderr(level: int = logging.INFO) -> None:
    """Write our own log lines to standard error: time in UTC, level, room, message."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter(
        "%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%SZ"
    )
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    ours = logging.getLogger("mashup_worker")
    ours.handlers[:] = [handler]
    ours.setLevel(level)
    ours.propagate = False
    # RQ and the pool tell of outages in their own words, beside ours.
    for name in ("rq.worker", "psycopg.pool"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
