"""Protection of a process's environment and memory from other processes of the same user."""

from __future__ import annotations

import ctypes
import sys

_PR_SET_DUMPABLE = 4


def make_undumpable() -> None:
    """Make root the owner of `/proc/<pid>/environ` and similar files of this process.

    A decoder that untrusted input has taken over runs as the same user, and could read credentials
    there. Linux only. Children that execute another program are dumpable again.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
