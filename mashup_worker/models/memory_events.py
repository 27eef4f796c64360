"""Counter of out-of-memory events in this process. Imports no torch."""

from __future__ import annotations

_events = 0


def record_out_of_memory() -> None:
    """Count a batch that did not fit and is run again in halves."""
    global _events
    _events += 1


def out_of_memory_events() -> int:
    """Return the number of events since the process started."""
    return _events
