"""Ends child processes together with their parent, even a parent that was killed.

Two functions do so from inside a child: `stop_with_parent` and `exit_with_parent`. For any other
program, this file runs as a script between parent and program (`child_guard_command`):

The script prints the program's process id as its only line on standard output. The program writes
its own output to the script's standard error. SIGTERM, and the end of standard input, which follows
from the parent's death, make the script stop the program: with the given signal, then after a grace
with SIGKILL. The script exits with the program's exit code, 128 + n after signal n, or 127 when the
program did not start. It runs without site packages and imports the standard library only, so it
starts in 20 ms.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import pwd
import select
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ORPHAN_GRACE_S = 4.0
"""Longest time that a program gets to stop after its parent died."""

_PR_SET_PDEATHSIG = 1
_NOT_STARTED = 127


def stop_with_parent() -> None:
    """Send SIGTERM to this process when its standard input, a pipe from its parent, ends."""

    def wait() -> None:
        with contextlib.suppress(OSError):
            while os.read(sys.__stdin__.fileno() if sys.__stdin__ else 0, 4096):
                pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()


def exit_with_parent() -> None:
    """Exit this `multiprocessing` child, even from native code, when its parent is gone."""
    import multiprocessing

    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, name="parent", daemon=True).start()


def child_guard_command(
    program: Sequence[str], *, stop_signal: int, grace_s: float, user: str | None = None
) -> list[str]:
    """Return the command line that runs a program under this script, with the rights of a user.

    `stop_signal` asks the program to stop; after `grace_s` it is killed.
    """
    return [
        *(sys.executable, "-I", "-S", __file__),
        *("--signal", str(int(stop_signal)), "--grace", str(grace_s)),
        *("--orphan-grace", str(min(grace_s, ORPHAN_GRACE_S))),
        *(("--user", user) if user else ()),
        *("--", *program),
    ]


class SignalState:
    """Requests to stop: signals, and the end of standard input."""

    def __init__(self) -> None:
        self.stop = False
        self._wakeups, wakeup = os.pipe()
        os.set_blocking(wakeup, False)
        signal.set_wakeup_fd(wakeup)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def _on_signal(self, *_: object) -> None:
        self.stop = True

    def wait(self, timeout_s: float | None = None, *, watch_stdin: bool = True) -> bool:
        """Sleep until a signal or the timeout; return whether standard input ended."""
        watched = [self._wakeups, 0] if watch_stdin else [self._wakeups]
        readable, _, _ = select.select(watched, [], [], timeout_s)
        if self._wakeups in readable:
            os.read(self._wakeups, 512)
        return 0 in readable and not os.read(0, 512)


def main() -> int:
    """Run the program of the command line; return its exit code."""
    options = _options()
    state = SignalState()
    try:
        child = _start(options.program, options.user)
    except (OSError, LookupError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"{options.program[0]}: {error}\n")
        return _NOT_STARTED
    with contextlib.suppress(OSError):  # without a reader, standard input has ended too
        os.write(1, b"%d\n" % child.pid)
    os.close(1)

    orphaned = False
    while child.poll() is None and not state.stop and not orphaned:
        orphaned = state.wait()
    if child.poll() is None:
        _stop(child, state, options.signal, options.orphan_grace if orphaned else options.grace)
    code = child.wait()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)  # processes that the program left behind
    return code if code >= 0 else 128 - code


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--user", help="user whose rights the program gets")
    parser.add_argument("--signal", type=int, default=int(signal.SIGTERM), help="stop signal")
    parser.add_argument("--grace", type=float, default=5.0, help="seconds until SIGKILL")
    parser.add_argument("--orphan-grace", type=float, default=5.0, help="the same without a parent")
    parser.add_argument("program", nargs="+")
    return parser.parse_args()


def _start(program: list[str], user: str | None) -> subprocess.Popen[bytes]:
    entry = pwd.getpwnam(user) if user else None
    parent = os.getpid()
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def die_with_script() -> None:
        # After the change of user, which would reset it.
        if libc is not None:
            libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(_NOT_STARTED)

    return subprocess.Popen(
        program,
        stdin=subprocess.DEVNULL,
        stdout=2,
        stderr=2,
        user=entry.pw_uid if entry else None,
        group=entry.pw_gid if entry else None,
        extra_groups=[] if entry else None,
        start_new_session=True,
        preexec_fn=die_with_script,
    )


def _stop(
    child: subprocess.Popen[bytes], state: SignalState, stop_signal: int, grace_s: float
) -> None:
    deadline_s = time.monotonic() + grace_s
    child.send_signal(stop_signal)
    while child.poll() is None:
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            child.kill()
            return
        state.wait(left_s, watch_stdin=False)


if __name__ == "__main__":
    sys.exit(main())
