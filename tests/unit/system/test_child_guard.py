"""Child processes end with their parent."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from mashup_worker.system.child_guard import child_guard_command

if TYPE_CHECKING:
    from collections.abc import Iterator

SLEEP = (sys.executable, "-c", "import time; time.sleep(600)")
STUBBORN = (
    *(sys.executable, "-c"),
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    " print('ignores', flush=True); time.sleep(600)",
)


def guarded(*program: str, grace_s: float = 30.0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        child_guard_command(program, stop_signal=signal.SIGTERM, grace_s=grace_s),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def sleeping() -> Iterator[tuple[subprocess.Popen[str], psutil.Process]]:
    """Return the guard and its program."""
    with guarded(*SLEEP) as guard:
        assert guard.stdout is not None
        yield guard, psutil.Process(int(guard.stdout.readline()))
        guard.kill()


def test_the_exit_code_is_that_of_the_program() -> None:
    with guarded(sys.executable, "-c", "print('out'); raise SystemExit(7)") as guard:
        # `communicate` would close standard input, which stops the program.
        assert guard.wait(60) == 7
        assert guard.stdout is not None
        assert guard.stderr is not None
        assert guard.stdout.read().strip().isdecimal()
        assert guard.stderr.read() == "out\n"


def test_a_program_that_does_not_start_is_named() -> None:
    with guarded("/no/such/program") as guard:
        _, stderr = guard.communicate(timeout=60)
    assert (guard.returncode, stderr.startswith("/no/such/program: ")) == (127, True)


def test_sigterm_stops_the_program(sleeping: tuple[subprocess.Popen[str], psutil.Process]) -> None:
    guard, program = sleeping
    guard.terminate()
    assert guard.wait(60) == 128 + signal.SIGTERM
    assert not program.is_running()


def test_the_end_of_standard_input_stops_the_program(
    sleeping: tuple[subprocess.Popen[str], psutil.Process],
) -> None:
    guard, program = sleeping
    assert guard.stdin is not None
    guard.stdin.close()
    assert guard.wait(60) == 128 + signal.SIGTERM
    assert not program.is_running()


@pytest.mark.skipif(sys.platform != "linux", reason="needs the parent-death signal")
def test_a_killed_guard_takes_the_program_with_it(
    sleeping: tuple[subprocess.Popen[str], psutil.Process],
) -> None:
    guard, program = sleeping
    guard.kill()
    program.wait(60)


def test_a_program_that_ignores_sigterm_is_killed_after_the_grace() -> None:
    with guarded(*STUBBORN, grace_s=0.5) as guard:
        assert guard.stderr is not None
        assert guard.stderr.readline() == "ignores\n"
        guard.terminate()
        assert guard.wait(60) == 128 + signal.SIGKILL


def test_a_worker_gets_sigterm_when_its_parent_closes_the_pipe() -> None:
    program = textwrap.dedent(
        """
        import time
        from mashup_worker.system.child_guard import stop_with_parent
        stop_with_parent()
        print("ready", flush=True)
        time.sleep(600)
        """
    )
    started_s = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.stdin.close()
        assert process.wait(60) == -signal.SIGTERM
    assert time.monotonic() - started_s < 300
