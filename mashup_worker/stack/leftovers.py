"""Servers of an earlier run that nobody stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_SERVERS = {"postgres", "valkey-server", "weed"}
_TIMEOUT_S = 10.0


def end_leftovers(folder: Path) -> None:
    """Kill our kinds of servers that run in a folder; what they had written stays readable.

    Two servers on the same data would destroy it, and Postgres refuses to start while as much as
    one process of an earlier one still ends. Only call it with the folder's lock in hand.
    """
    import psutil

    found = []
    for process in psutil.process_iter(["name"]):
        if process.info["name"] not in _SERVERS:
            continue
        try:
            if process.cwd() == str(folder):
                process.kill()
                found.append(process)
        except psutil.Error:  # it ended just now, or is somebody else's
            continue
    psutil.wait_procs(found, timeout=_TIMEOUT_S)
