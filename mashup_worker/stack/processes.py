"""Our own commands as processes beside the servers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mashup_worker.stack.child import Child, Program
from mashup_worker.stack.server import NotYet, Server

if TYPE_CHECKING:
    from collections.abc import Mapping

READY_TIMEOUT_S = 600.0
"""A worker's first start may fetch a model's weights."""

_STOP_GRACE_S = 40.0
"""Longer than a worker goes on with its job before it hands it back."""


class Process(Server):
    """A command of `mashup` that runs until it is stopped, and prints `ready` when it is."""

    def __init__(
        self, name: str, arguments: tuple[str, ...], logs: Path, environment: Mapping[str, str]
    ) -> None:
        """Describe it; nothing is started.

        Args:
            name: what messages and its log file call it.
            arguments: the command and its options.
            logs: folder of log files.
            environment: all of its environment.
        """
        program = Program(
            name=name,
            # -P: a file in the user's folder must not take a module's place.
            arguments=(sys.executable, "-P", "-m", "mashup_worker", *arguments),
            folder=Path.cwd(),
            log=logs / f"{name}.log",
            environment={**environment, "PYTHONUNBUFFERED": "1"},
            grace_s=_STOP_GRACE_S,
        )
        super().__init__(program, _said_ready)


def _said_ready(child: Child) -> None:
    if not any(line.startswith("ready") for line in child.log_lines()):
        raise NotYet(child.last_line())
