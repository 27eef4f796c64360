"""Child processes that end on request, and together with this process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mashup_worker.errors import ServiceUnavailable
from mashup_worker.system.child_guard import child_guard_command

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_MAX_LOG_BYTES = 10_000_000
_MAX_TAIL_BYTES = 20_000


@dataclass(frozen=True, kw_only=True)
class Program:
    """Command line and conditions of a child process.

    Attributes:
        name: name in messages.
        arguments: the program and its arguments.
        folder: working folder.
        log: file for standard output and standard error.
        environment: the complete environment.
        stop_signal: signal that asks the program to stop.
        grace_s: seconds until a program that was asked to stop is killed.
        user: user whose rights the program gets; None for the current user.
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
    """A running or exited program under a child guard, with the program's own process id."""

    def __init__(self, program: Program) -> None:
        """Start the program.

        Raises:
            ServiceUnavailable: the program does not start; the message has the reason.
        """
        self.program = program
        self._log_start = _rotate(program.log)
        command = child_guard_command(
            program.arguments,
            stop_signal=program.stop_signal,
            grace_s=program.grace_s,
            user=program.user,
        )
        with program.log.open("ab") as log:
            self._guard = subprocess.Popen(
                command,
                cwd=program.folder,
                env=dict(program.environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C must reach this process only
            )
        assert self._guard.stdout is not None  # noqa: S101 - a pipe was requested
        with self._guard.stdout as output:
            line = output.readline()
        if not line:
            self._wait()
            raise ServiceUnavailable(f"{program.name}: does not start: {self.last_line()}")
        self.pid = int(line)

    def is_running(self) -> bool:
        """Return whether the program has not exited."""
        return self._guard.poll() is None

    def stop(self) -> None:
        """Ask the program to stop, kill it after its grace, and wait for its exit."""
        if self.is_running():
            self._guard.send_signal(signal.SIGTERM)
        self._wait()

    def kill(self) -> None:
        """Kill the program, as a crash would, and wait for its exit."""
        if self.is_running():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self._wait()

    def log_lines(self) -> list[str]:
        """Return the last 20 kB of the log since the start, as lines."""
        with self.program.log.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_start, size - _MAX_TAIL_BYTES))
            return log.read().decode(errors="replace").splitlines()

    def last_line(self) -> str:
        """Return the last line of the log, for messages."""
        lines = [line.strip() for line in self.log_lines() if line.strip()]
        return lines[-1] if lines else f"no output in {self.program.log}"

    def _wait(self) -> None:
        self._guard.wait()
        if self._guard.stdin is not None:
            self._guard.stdin.close()


def _rotate(log: Path) -> int:
    """Rename a long log to `.old.log`; return the size of the log in bytes."""
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    size = log.stat().st_size if log.exists() else 0
    if size > _MAX_LOG_BYTES:
        log.replace(log.with_suffix(".old.log"))
        return 0
    return size
