"""Run one program for as long as somebody holds the leash.

Run by its path, with nothing but the standard library, so that it starts in milliseconds. The
program's number is the only line on standard output; the program itself writes to what was the
leash's standard error. The program is asked to stop on SIGTERM, and when standard input ends:
that happens too when the process that held the other end was killed. The leash ends with the
program's exit code (128 + n after signal n, 127 when it could not be started).
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
import time

_PR_SET_PDEATHSIG = 1
_NOT_STARTED = 127


class Wishes:
    """What the outside asks for: signals, and the end of standard input."""

    def __init__(self) -> None:
        self.stop = False
        self._wakeups, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def _ask(self, *_: object) -> None:
        self.stop = True

    def nap(self, timeout_s: float | None = None, *, watch_stdin: bool = True) -> bool:
        """Sleep until a signal comes or the time is over; whether standard input ended."""
        watched = [self._wakeups, 0] if watch_stdin else [self._wakeups]
        readable, _, _ = select.select(watched, [], [], timeout_s)
        if self._wakeups in readable:
            os.read(self._wakeups, 512)
        return 0 in readable and not os.read(0, 512)


def main() -> int:
    """Run the program of the command line; its exit code."""
    options = _options()
    wishes = Wishes()
    try:
        child = _start(options.program, options.user)
    except (OSError, LookupError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"{options.program[0]}: {error}\n")
        return _NOT_STARTED
    with contextlib.suppress(OSError):  # nobody reads it any more: then stdin has ended too
        os.write(1, b"%d\n" % child.pid)
    os.close(1)

    orphaned = False
    while child.poll() is None and not wishes.stop and not orphaned:
        orphaned = wishes.nap()
    if child.poll() is None:
        _stop(child, wishes, options.signal, options.orphan_grace if orphaned else options.grace)
    code = child.wait()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)  # what it started and left behind
    return code if code >= 0 else 128 - code


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--user", help="whose rights the program gets")
    parser.add_argument("--signal", type=int, default=int(signal.SIGTERM), help="asks it to stop")
    parser.add_argument("--grace", type=float, default=5.0, help="seconds it has to stop")
    parser.add_argument("--orphan-grace", type=float, default=5.0, help="when nobody waits for it")
    parser.add_argument("program", nargs="+")
    return parser.parse_args()


def _start(program: list[str], user: str | None) -> subprocess.Popen[bytes]:
    entry = pwd.getpwnam(user) if user else None
    parent = os.getpid()
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def die_with_the_leash() -> None:
        # Runs after the change of user, which would take it back.
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
        preexec_fn=die_with_the_leash,
    )


def _stop(child: subprocess.Popen[bytes], wishes: Wishes, stop_signal: int, grace_s: float) -> None:
    deadline = time.monotonic() + grace_s
    child.send_signal(stop_signal)
    while child.poll() is None:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            child.kill()
            return
        wishes.nap(left_s, watch_stdin=False)


if __name__ == "__main__":
    sys.exit(main())
