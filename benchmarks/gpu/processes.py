"""Steps as processes of their own, which are stopped when their time is up."""

from __future__ import annotations

import os
import runpy
import signal
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

Status = Literal["done", "failed", "timed out", "skipped"]

ROOT = Path(__file__).parents[2]
_GRACE_S = 5.0
"""After an interrupt, for what can still be written: pytest's report, for one."""

_POLL_S = 0.05


@dataclass(frozen=True)
class Ending:
    """How a step ended.

    Attributes:
        status: what became of it.
        seconds: how long it took.
        exit_code: of its process; negative for a signal, None where it did not run.
        reason: why it was skipped or failed.
    """

    status: Status
    seconds: float = 0.0
    exit_code: int | None = None
    reason: str = ""


def run(module: str, arguments: Sequence[str], log: Path, *, limit_s: float, fake: bool) -> Ending:
    """Run `python -m module` with arguments, its output appended to the log.

    On the fake device the module runs in a fork of this process, which saves the imports.
    """
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _become(module, arguments, log, fake)
    timed_out, exit_code = False, None
    try:
        exit_code = _wait(pid, limit_s)
        timed_out = exit_code is None
        if timed_out:
            _signal_group(pid, signal.SIGINT)
            exit_code = _wait(pid, _GRACE_S)
    finally:
        _signal_group(pid, signal.SIGKILL)
        if exit_code is None:
            exit_code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    seconds = time.monotonic() - started
    if timed_out:
        return Ending("timed out", seconds, exit_code, f"stopped after {limit_s:.0f} s")
    return Ending("done", seconds, exit_code)


def _wait(pid: int, limit_s: float) -> int | None:
    """Return the exit code of a process; None if it has not ended in time."""
    until = time.monotonic() + limit_s
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > until:
            return None
        time.sleep(_POLL_S)


def _signal_group(pid: int, number: signal.Signals) -> None:
    """Send a signal to a step and to all that it has started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _become(module: str, arguments: Sequence[str], log: Path, fake: bool) -> NoReturn:
    """Turn this process, a fork, into the step."""
    exit_code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(ROOT)
        with log.open("ab") as output, Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), 0)
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        if not fake:
            os.execv(sys.executable, [sys.executable, "-m", module, *arguments])
        exit_code = _run_here(module, arguments)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(exit_code)


def _run_here(module: str, arguments: Sequence[str]) -> int:
    from benchmarks.gpu.fake import fake_device

    sys.argv = [module, *arguments]
    try:
        with fake_device(module):
            runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        print(error.code, file=sys.stderr)
        return 1
    return 0
