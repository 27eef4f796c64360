"""How this process asks the system for memory.

Tensors of sound are tens of megabytes, made and dropped many times a second. By default the C
library takes each from the system and gives it back at once, and the system hands every page out
zeroed: in a mashup a third of the processor's time went there.
"""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -2, -3, -8
"""Names of parameters in glibc's `malloc.h`."""

_KEPT_BYTES = 1 << 30
_LARGEST_KEPT_BYTES = 256 << 20
_STEP_BYTES = 64 << 20


def keep_freed_memory() -> None:
    """Keep up to 1 GiB of freed memory for what comes next; call it before threads are started.

    Does nothing where the C library is another.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT_BYTES)
    mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
    mallopt(_M_TOP_PAD, _STEP_BYTES)
    # Threads would have arenas of their own, of which each keeps what it freed, and none enough.
    mallopt(_M_ARENA_MAX, 1)
