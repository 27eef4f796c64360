"""Servers of an earlier run that were not stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_SERVERS = {"postgres", "valkey-server", "weed"}
_TIMEOUT_S = 10.0


def kill_stale_servers(folder: Path) -> None:
    """Kill servers of the stack that run in a folder; their data stays readable.

    Two servers on the same data would destroy it, and Postgres refuses to start while a process of
    an earlier one is still exiting. The caller must hold the lock of the folder.
    """
    import psutil

    killed = []
    for process in psutil.process_iter(["name"]):
        if process.info["name"] not in _SERVERS:
            continue
        try:
            if process.cwd() == str(folder):
                process.kill()
                killed.append(process)
        except psutil.Error:  # it has just exited, or belongs to another user
            continue
    psutil.wait_procs(killed, timeout=_TIMEOUT_S)
