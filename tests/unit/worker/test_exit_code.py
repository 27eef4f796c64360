"""How a worker process ends that cannot begin its work."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mashup_worker.errors import EXIT_ENVIRONMENT, EXIT_FAILED, EXIT_USAGE

FAILS = """
import sys
from mashup_worker import errors
from mashup_worker.worker import __main__ as worker

def fail(*_):
    raise errors.{error}("cuda:0: this is why")

worker._run = fail
sys.exit(worker.main())
"""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("DeviceLost", EXIT_FAILED),
        ("DeviceUnavailable", EXIT_ENVIRONMENT),
        ("InvalidInput", EXIT_USAGE),
    ],
)
def test_a_worker_is_started_again_where_a_new_process_can_use_the_device(
    error: str, code: int
) -> None:
    """The supervisor gives up at the other codes, until all of its processes were ready."""
    command = [sys.executable, "-c", FAILS.format(error=error), "--queue", "gpu"]
    pipe = subprocess.PIPE  # of its input: it stops when its parent closes it
    with subprocess.Popen(command, stdin=pipe, stderr=pipe, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.read() == "mashup worker: cuda:0: this is why\n"
        assert process.wait() == code
