"""Processes of `mashup` beside the servers of a stack."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mashup_worker.stack.child import Child, Program
from mashup_worker.stack.server import NotReady, Server

if TYPE_CHECKING:
    from collections.abc import Mapping

READY_TIMEOUT_S = 600.0
"""Longest start; the first start of a worker may fetch weights."""

_STOP_GRACE_S = 40.0
"""Longer than the time that a stopping worker continues its job."""


class ServiceProcess(Server):
    """Command of `mashup` that runs until it is stopped, and prints `ready`."""

    def __init__(
        self, name: str, arguments: tuple[str, ...], *, logs: Path, environment: Mapping[str, str]
    ) -> None:
        """Describe the process; `start` runs it.

        Args:
            name: name in messages and of the log file.
            arguments: the command and its options.
            logs: folder of log files.
            environment: the complete environment.
        """
        program = Program(
            name=name,
            # -P: no file in the current folder may replace a module.
            arguments=(sys.executable, "-P", "-m", "mashup_worker", *arguments),
            folder=Path.cwd(),
            log=logs / f"{name}.log",
            environment={**environment, "PYTHONUNBUFFERED": "1"},
            grace_s=_STOP_GRACE_S,
        )
        super().__init__(program, _printed_ready)


def _printed_ready(child: Child) -> None:
    if not any(line.startswith("ready") for line in child.log_lines()):
        raise NotReady(child.last_line())
