"""Keeps a process's environment and memory from other processes of the same user."""

from __future__ import annotations

import ctypes
import sys

_PR_SET_DUMPABLE = 4


def make_undumpable() -> None:
    """Have `/proc/<pid>/environ` and the like of this process belong to root.

    A decoder that was taken over runs as our user, and could read our credentials there. Children
    that run another program start anew and are not affected.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
