"""One program on a leash: it ends when we say so, and when we die."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mashup_worker.errors import ServiceUnavailable
from mashup_worker.system import child_guard

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ORPHAN_GRACE_S = 4.0
"""How long a program may take to stop when the process that wanted it is gone."""

_LOG_MOST_BYTES = 10_000_000
_LINE_MOST_BYTES = 20_000


@dataclass(frozen=True)
class Program:
    """What to run, and how.

    Attributes:
        name: what messages call it.
        arguments: the program and its arguments.
        folder: where it runs.
        log: file that gets its standard output and standard error.
        environment: all of its environment.
        stop_signal: what asks it to stop.
        grace_s: how long it may take to stop before it is killed.
        user: whose rights it gets; ours when None.
    """

    name: str
    arguments: tuple[str, ...]
    folder: Path
    log: Path
    environment: Mapping[str, str] = field(repr=False)
    stop_signal: signal.Signals = signal.SIGTERM
    grace_s: float = 5.0
    user: str | None = None


class Child:
    """A program that runs, or ran."""

    def __init__(self, program: Program) -> None:
        """Run it.

        Raises:
            ServiceUnavailable: it can't be run; the message says why.
        """
        self.program = program
        self._log_start = _shorten(program.log)
        with program.log.open("ab") as log:
            self._leash = subprocess.Popen(
                _command(program),
                cwd=program.folder,
                env=dict(program.environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us: we stop things in order
            )
        assert self._leash.stdout is not None  # noqa: S101 - a pipe was asked for
        with self._leash.stdout as first_line:
            number = first_line.readline()
        if not number:
            self._end()
            raise ServiceUnavailable(f"{program.name} can't be run: {self.last_line()}")
        self.pid = int(number)

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._leash.poll() is None

    def stop(self) -> None:
        """Ask it to stop, and wait until it has; it is killed when it takes too long."""
        if self.is_running():
            self._leash.send_signal(signal.SIGTERM)
        self._end()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self.is_running():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self._end()

    def log_lines(self) -> list[str]:
        """What it wrote since it was started, the last 20 kB of it."""
        with self.program.log.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_start, size - _LINE_MOST_BYTES))
            return log.read().decode(errors="replace").splitlines()

    def last_line(self) -> str:
        """The last that it wrote, for messages."""
        lines = [line.strip() for line in self.log_lines() if line.strip()]
        return lines[-1] if lines else f"nothing in {self.program.log}"

    def _end(self) -> None:
        self._leash.wait()
        if self._leash.stdin is not None:
            self._leash.stdin.close()


def _command(program: Program) -> list[str]:
    user = ["--user", program.user] if program.user else []
    return [
        sys.executable,
        *("-I", "-S"),  # nothing of ours is imported: it is up in 20 ms
        child_guard.__file__,
        *("--signal", str(int(program.stop_signal))),
        *("--grace", str(program.grace_s)),
        *("--orphan-grace", str(min(program.grace_s, ORPHAN_GRACE_S))),
        *user,
        "--",
        *program.arguments,
    ]


def _shorten(log: Path) -> int:
    """Put a long log aside; the log's size in bytes."""
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    size = log.stat().st_size if log.exists() else 0
    if size > _LOG_MOST_BYTES:
        log.replace(log.with_suffix(".old.log"))
        return 0
    return size
