"""Run `mashup` in forks of a process that has imported the package: torch alone takes seconds.

A command has a process, environment, current folder and standard streams of its own, like the
installed program. Tests of signals, terminals and limits of a process start that program instead.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import mashup_worker

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

ROOT = Path(__file__).parents[2]

_IMPORTED_LATE = ("librosa", "librosa.segment", "scipy.cluster.hierarchy", "sklearn.cluster")
"""What commands import where they need it, a second of each command that does."""


class PreloadedMashup:
    """Process that has imported the package; it runs one command at a time."""

    def __init__(self) -> None:
        self._lock, self._thread = Lock(), ThreadPoolExecutor(1)
        environment = {
            "PATH": os.environ["PATH"],
            "OMP_NUM_THREADS": "1",
            "GOMP_SPINCOUNT": "10000",
        }
        if "PYTHONPATH" in os.environ:
            environment["PYTHONPATH"] = os.environ["PYTHONPATH"]
        self._server = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def run(
        self, *arguments: str | Path, cwd: Path, env: Mapping[str, str], timeout_s: float = 600.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a command without standard input.

        Raises:
            TimeoutError: the command has not ended in time; no further one can run.
        """
        with tempfile.TemporaryDirectory() as folder, self._lock:
            outputs = [Path(folder) / name for name in ("stdout", "stderr")]
            request = (list(map(str, arguments)), str(cwd), dict(env), list(map(str, outputs)))
            assert self._server.stdin is not None
            assert self._server.stdout is not None
            self._server.stdin.write(json.dumps(request).encode() + b"\n")
            self._server.stdin.flush()
            if not select.select([self._server.stdout], [], [], timeout_s)[0]:
                os.killpg(self._server.pid, signal.SIGKILL)
                raise TimeoutError(arguments)
            code = int(self._server.stdout.readline())
            stdout, stderr = (path.read_text() for path in outputs)
        return subprocess.CompletedProcess(arguments, code, stdout, stderr)

    def start(
        self, *arguments: str | Path, cwd: Path, env: Mapping[str, str]
    ) -> Future[subprocess.CompletedProcess[str]]:
        """Run a command after those that were started before."""
        return self._thread.submit(self.run, *arguments, cwd=cwd, env=env)

    def close(self) -> None:
        """End the process."""
        self._thread.shutdown(cancel_futures=True)
        with self._server:
            assert self._server.stdin is not None
            self._server.stdin.close()


def _serve() -> None:
    """Fork for each request, and report the exit code; return in the forks alone."""
    for line in iter(sys.stdin.buffer.readline, b""):
        child = os.fork()
        if child == 0:
            arguments, cwd, environment, outputs = json.loads(line)
            os.chdir(cwd)
            os.environ.clear()
            os.environ.update(environment)
            sys.argv = ["mashup", *arguments]
            flags = os.O_WRONLY | os.O_CREAT
            for number, file in enumerate(
                [os.open(os.devnull, os.O_RDONLY), *(os.open(one, flags) for one in outputs)]
            ):
                os.dup2(file, number)
                os.close(file)
            return
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.stdout.write(f"{code}\n")
        sys.stdout.flush()
    sys.exit()


def _leave(ended: list[Any]) -> None:
    """Exit without freeing memory, which a fork would have to copy first."""
    if ended:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ended[0] or 0)


if __name__ == "__main__":
    ended: list[Any] = []
    atexit.register(_leave, ended)  # the first to be registered runs last
    for module in pkgutil.walk_packages(mashup_worker.__path__, "mashup_worker."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in _IMPORTED_LATE:
        importlib.import_module(name)
    gc.freeze()  # the forks share what is imported
    _serve()
    try:
        sys.modules["mashup_worker.cli"].main()
    except SystemExit as end:
        ended.append(end.code)
        raise
