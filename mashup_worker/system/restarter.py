"""Starts again what ended by itself."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

from mashup_worker.errors import MashupError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mashup_worker.stack.server import Server

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0

_WATCH_S = 0.1
_STEADY_S = 60.0
"""Having run this long, the next end is a new story."""


class Keeper:
    """Watches servers, each in a thread, until they are stopped or it is."""

    def __init__(
        self, servers: Iterable[Server], timeout_s: float, on_return: Callable[[], object]
    ) -> None:
        """Begin to watch.

        Args:
            servers: what runs and shall go on.
            timeout_s: how long one of them may take to answer again.
            on_return: called after one was started again.
        """
        self._timeout_s = timeout_s
        self._on_return = on_return
        self._end = threading.Event()
        for server in servers:
            name = f"keeper of {server.name}"
            threading.Thread(target=self._watch, args=(server,), name=name, daemon=True).start()

    def stop(self) -> None:
        """Let what ends stay ended; call it before the servers are stopped."""
        self._end.set()

    def _watch(self, server: Server) -> None:
        pause_s = FIRST_PAUSE_S
        up_since = time.monotonic()
        while not self._end.wait(_WATCH_S):
            if server.is_running():
                continue
            if time.monotonic() - up_since > _STEADY_S:
                pause_s = FIRST_PAUSE_S
            if self._end.wait(pause_s):
                return
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            up_since = time.monotonic()
            with contextlib.suppress(MashupError, OSError):  # tried again after a longer pause
                server.revive(self._timeout_s)
                self._on_return()
