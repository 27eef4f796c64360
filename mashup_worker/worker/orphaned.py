"""Stops a process whose parent is gone."""

from __future__ import annotations

import os
import signal
import sys
import threading


def stop_with_parent() -> None:
    """Send ourselves SIGTERM when standard input ends: whoever held its other end is gone."""

    def wait() -> None:
        while True:
            try:
                if not os.read(sys.__stdin__.fileno() if sys.__stdin__ else 0, 4096):
                    break
            except OSError:
                break
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()
