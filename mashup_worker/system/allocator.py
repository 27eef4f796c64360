"""Settings of the C library's memory allocator.

A mashup allocates and frees tensors of tens of megabytes many times a second. By default glibc maps
each from the kernel and unmaps it when it is freed, and the kernel zeroes every new page. That took
a third of the processor time of a mashup.
"""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -2, -3, -8
"""Parameters of `mallopt`, from glibc's `malloc.h`."""

_KEPT_BYTES = 1 << 30
_LARGEST_KEPT_BYTES = 256 << 20
_STEP_BYTES = 64 << 20


def keep_freed_memory() -> None:
    """Keep up to 1 GiB of freed memory for later allocations. Call it before threads start.

    Does nothing with C libraries other than glibc.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT_BYTES)
    mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
    mallopt(_M_TOP_PAD, _STEP_BYTES)
    # With an arena per thread, each would keep freed memory that other threads cannot use.
    mallopt(_M_ARENA_MAX, 1)
