"""Signals that wait while C code calls back into Python."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def deferred_interrupts() -> Iterator[None]:
    """Run the handlers of SIGINT and SIGTERM that arrive in the block when it ends.

    An exception that a handler raises inside a callback of C code is printed and lost, and the C
    code sees a failed read or write instead. Handlers run in the main thread only, so the block
    changes nothing in other threads.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {one: found for one in _SIGNALS if callable(found := signal.getsignal(one))}
    received: dict[int, FrameType | None] = {}
    try:
        for one in handlers:
            signal.signal(one, received.__setitem__)
        yield
    finally:
        for one, handler in handlers.items():
            signal.signal(one, handler)
        for number, frame in received.items():
            handlers[signal.Signals(number)](number, frame)
