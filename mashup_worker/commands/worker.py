"""`mashup worker`: lanes that do the jobs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from mashup_worker.commands.shared.failure import fail, service_settings_or_fail
from mashup_worker.commands.shared.metrics_option import MetricsAddress  # noqa: TC001  (typer reads it)
from mashup_worker.errors import EXIT_USAGE


def worker(
    device: Annotated[
        str,
        typer.Option(
            help="auto, cpu, cuda or cuda:N; several with commas share the lanes among them."
        ),
    ] = "auto",
    lanes: Annotated[
        int, typer.Option(min=1, max=64, help="How many processes, each with its own models.")
    ] = 1,
    worker_class: Annotated[
        str | None,
        typer.Option("--class", help="Which class of jobs to do, where MASHUP_QUEUES has several."),
    ] = None,
    precision: Annotated[
        str, typer.Option(help="Arithmetic of the networks: auto, fp32, tf32, bf16 or fp16.")
    ] = "auto",
    metrics: MetricsAddress = None,
    stop_with_parent: Annotated[
        bool, typer.Option(hidden=True, help="Stop when standard input ends.")
    ] = False,
) -> None:
    """Do jobs of the queue until told to stop; a lane that dies is started again.

    Prints a line that begins with "ready" once all lanes listen. SIGTERM or Ctrl-C lets running
    jobs finish, within MASHUP_STOP_GRACE_S; a second one hands them back at once.
    """
    from mashup_worker.logs import log_to_stderr
    from mashup_worker.monitoring.server import serving
    from mashup_worker.monitoring.worker_metrics import WorkerMetrics
    from mashup_worker.system.child_guard import stop_with_parent as follow_parent
    from mashup_worker.worker.supervisor import READY, Supervisor

    settings = service_settings_or_fail()
    log_to_stderr(settings.monitoring.log_format)
    classes = settings.queue.queues
    chosen = worker_class or next(iter(classes))
    if chosen not in classes or (worker_class is None and len(classes) > 1):
        fail(f"--class: name one of {', '.join(classes)}", EXIT_USAGE)
    devices = [one.strip() for one in device.split(",") if one.strip()] or ["auto"]
    if stop_with_parent:
        follow_parent()

    def lane(number: int) -> list[str]:
        place = devices[number % len(devices)]
        return [
            *(sys.executable, "-m", "mashup_worker.worker"),
            *("--class", chosen, "--device", place, "--precision", precision),
        ]

    def ready() -> None:
        typer.echo(f"{READY}: {lanes} lane{'s' * (lanes > 1)} of class {chosen}")
        sys.stdout.flush()

    counted = WorkerMetrics(lanes)
    commands = [lane(number) for number in range(lanes)]
    with serving(metrics or settings.monitoring.metrics_address, counted):
        Supervisor(commands, counted, ready).run()
