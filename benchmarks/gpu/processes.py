"""Steps as processes of their own, which are stopped when their time is up."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.process import BaseProcess
    from pathlib import Path

Status = Literal["done", "failed", "timed out", "skipped"]

_GRACE_S = 5.0
"""After an interrupt, for what can still be written: pytest's report, for one."""


@dataclass(frozen=True)
class Ending:
    """How a step ended.

    Attributes:
        status: that.
        seconds: how long it took.
        exit_code: of its process; negative for a signal, None where it did not run.
        reason: why it was skipped or failed.
    """

    status: Status
    seconds: float = 0.0
    exit_code: int | None = None
    reason: str = ""


def run(
    module: str, arguments: Sequence[str], log: Path, *, limit_s: float, pretended: bool
) -> Ending:
    """Run `python -m module` with arguments, its output appended to the log.

    The process starts anew, so nothing that another step left on the device is in its way. On the
    pretended device it is forked instead, which saves the imports.
    """
    started = time.monotonic()
    method = "fork" if pretended else "spawn"
    context = multiprocessing.get_context(method)
    process: BaseProcess = context.Process(  # type: ignore[attr-defined]
        target=_work, args=(module, list(arguments), log, pretended)
    )
    process.start()
    try:
        process.join(limit_s)
        timed_out = process.exitcode is None
        if timed_out:
            _signal_group(process, signal.SIGINT)
            process.join(_GRACE_S)
    finally:
        _signal_group(process, signal.SIGKILL)
        process.kill()
        process.join()
    seconds = time.monotonic() - started
    if timed_out:
        return Ending("timed out", seconds, process.exitcode, f"stopped after {limit_s:.0f} s")
    return Ending("done", seconds, process.exitcode)


def _signal_group(process: BaseProcess, number: signal.Signals) -> None:
    """Send a signal to the step and to whatever it started."""
    if process.pid is None:
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _work(module: str, arguments: list[str], log: Path, pretended: bool) -> None:
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with log.open("ab") as file, open(os.devnull, "rb") as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 0)
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    # Now line by line: the log shows how far a step came that was killed.
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    sys.argv = [module, *arguments]
    with _device(module, pretended):
        runpy.run_module(module, run_name="__main__", alter_sys=True)


@contextmanager
def _device(module: str, pretended: bool) -> Iterator[None]:
    """Run the block on the pretended device where it is wanted; pytest has a plugin for that."""
    if not pretended or module == "pytest":
        yield
        return
    from benchmarks.gpu.pretended import pretence

    with pretence():
        yield
