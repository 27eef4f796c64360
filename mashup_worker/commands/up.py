"""`mashup up`: the whole service on this machine."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mashup_worker.commands.shared.failure import fail
from mashup_worker.errors import EXIT_USAGE, InvalidInput, ServiceUnavailable

if TYPE_CHECKING:
    from mashup_worker.stack.info import StackInfo

_OTHER_TIMEOUT_S = 600.0
"""How long another `mashup up` on the same folder may take to start."""


def up(
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of all data, secrets and logs.",
            show_default="~/.local/share/mashup-worker",
            file_okay=False,
        ),
    ] = None,
    lanes: Annotated[
        int, typer.Option(min=1, max=64, help="How many jobs are worked on at a time.")
    ] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    run: Annotated[
        str | None,
        typer.Option(
            help="Run this in the shell with the service's settings in its environment, then stop "
            "everything and end with its exit code."
        ),
    ] = None,
    no_workers: Annotated[
        bool, typer.Option("--no-workers", help="Servers and schema only, no mirror and worker.")
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print one line of JSON, with all secrets, once it is ready."),
    ] = False,
) -> None:
    """Run Postgres, Valkey, S3, mirror and worker on this machine until Ctrl-C.

    A part that DATABASE_URL, REDIS_URL, S3_ENDPOINT_URL and S3_BUCKET, or STORAGE_URL name is not
    started but used. What dies is started again. A second `mashup up` on the same folder shows the
    first one's settings. Needs the extra `local`: pip install 'mashup-worker[local]'.
    """
    from mashup_worker.stack.service import LocalService

    if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:  # nohup means what it says
        signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))
    folder = (data or _default_folder()).expanduser().resolve()
    other = _other(folder)
    if other is not None:
        _show(other, folder, as_json, quiet=run is not None)
        raise typer.Exit(_run(run, other) if run is not None else 0)
    workers = None if no_workers else _workers(lanes, device)
    try:
        service = LocalService(folder, workers, _note)
    except InvalidInput as error:
        fail(error.message, EXIT_USAGE)
    with service as info:
        _show(info, folder, as_json, quiet=run is not None)
        if run is not None:
            code = _run(run, info)
        else:
            _note("ready; Ctrl-C stops everything")
            code = _wait_for_the_end()
    raise typer.Exit(code)


def _default_folder() -> Path:
    home = os.environ.get("XDG_DATA_HOME")
    return (Path(home) if home else Path("~/.local/share")) / "mashup-worker"


def _workers(lanes: int, device: str) -> dict[str, tuple[str, ...]]:
    """A worker for each class; arguments by name."""
    from mashup_worker.settings import load_service_settings

    options = ("--lanes", str(lanes), "--device", device)
    classes = load_service_settings().queue.queues
    if len(classes) == 1:
        return {"worker": ("worker", *options)}
    return {f"worker-{name}": ("worker", "--class", name, *options) for name in classes}


def _other(folder: Path) -> StackInfo | None:
    """The service that is up on this folder; waits while it starts, or until it has stopped."""
    from mashup_worker.stack.stack import Stack

    deadline = time.monotonic() + _OTHER_TIMEOUT_S
    while Stack.is_taken(folder):
        info = Stack.running(folder)
        if info is not None:
            return info
        if time.monotonic() > deadline:
            raise ServiceUnavailable(f"another process holds {folder} and does not get ready")
        time.sleep(0.1)
    return None


def _wait_for_the_end() -> int:
    """Wait for a signal that asks to stop; stopping when asked is success."""
    try:
        while True:
            signal.pause()
    except (KeyboardInterrupt, SystemExit):
        return 0


def _run(command: str, info: StackInfo) -> int:
    """Run a shell command to its end; its exit code, as a shell would say it."""
    import subprocess

    process = subprocess.Popen(  # noqa: S602 - the user's own command line
        command, shell=True, env={**os.environ, **info.environment()}
    )
    # From the keyboard the command gets the signal too, and decides what it means.
    signal.signal(signal.SIGINT, lambda *_: None)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: process.send_signal(number))
    code = process.wait()
    return code if code >= 0 else 128 - code


def _show(info: StackInfo, folder: Path, as_json: bool, *, quiet: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_document(info, folder)))
    elif not quiet:
        rows = {
            **info.environment(),
            "worker's database": info.worker_database_url,
            "data": str(folder),
            **{name: f"process {pid}" for name, pid in info.pids.items()},
        }
        width = max(map(len, rows))
        for name, value in rows.items():
            typer.echo(f"{name:{width}}  {value}")
    sys.stdout.flush()


def _document(info: StackInfo, folder: Path) -> dict[str, Any]:
    """What scripts read; null stands for what is not there."""
    return {
        "database_url": info.database_url or None,
        "worker_database_url": info.worker_database_url or None,
        "redis_url": info.redis_url or None,
        "s3_endpoint_url": info.s3_endpoint_url or None,
        "bucket": info.bucket or None,
        "s3_access_key_id": info.access_key or None,
        "s3_secret_access_key": info.secret_key or None,
        "data": str(folder),
        "pids": dict(info.pids),
    }


def _note(text: str) -> None:
    if sys.stderr.isatty():
        typer.echo(text, err=True)
