"""`mashup worker`: processes that run jobs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from mashup_worker.commands.shared.failure import fail, service_settings_or_fail
from mashup_worker.commands.shared.inputs import comma_separated
from mashup_worker.commands.shared.options import MetricsAddress, Precision, StopWithParent


def worker(
    device: Annotated[
        str,
        typer.Option(
            help="Device: auto, cpu, cuda or cuda:N. Several, separated by commas, are divided "
            "among the processes."
        ),
    ] = "auto",
    processes: Annotated[
        int, typer.Option(min=1, max=64, help="Number of processes, each with its own models.")
    ] = 1,
    queue: Annotated[
        str | None, typer.Option(help="Queue to serve; required if MASHUP_QUEUES names several.")
    ] = None,
    precision: Precision = "auto",
    metrics: MetricsAddress = None,
    stop_with_parent: StopWithParent = False,
) -> None:
    """Run the jobs of a queue until stopped.

    Restarts processes that exit. Prints a line that starts with "ready" when all processes accept
    jobs. SIGTERM or Ctrl-C lets running jobs finish within MASHUP_STOP_GRACE_S; a second signal
    releases them at once.
    """
    from mashup_worker.logs import log_to_stderr
    from mashup_worker.monitoring.server import serve_metrics
    from mashup_worker.monitoring.worker_metrics import WorkerMetrics
    from mashup_worker.system.child_guard import stop_with_parent as start_parent_watch
    from mashup_worker.worker.supervisor import READY, Supervisor

    settings = service_settings_or_fail()
    log_to_stderr(settings.monitoring.log_format)
    chosen = _queue(queue, list(settings.queue.queues))
    devices = comma_separated(device) or ("auto",)
    if stop_with_parent:
        start_parent_watch()

    def command(number: int) -> list[str]:
        return [
            *(sys.executable, "-m", "mashup_worker.worker", "--queue", chosen),
            *("--device", devices[number % len(devices)], "--precision", precision),
        ]

    def print_ready() -> None:
        typer.echo(f"{READY}: {processes} process{'es' * (processes > 1)}, queue {chosen}")
        sys.stdout.flush()

    worker_metrics = WorkerMetrics(processes)
    commands = [command(number) for number in range(processes)]
    with serve_metrics(metrics or settings.monitoring.metrics_address, worker_metrics):
        Supervisor(commands, worker_metrics, print_ready).run()


def _queue(requested: str | None, queues: list[str]) -> str:
    """Return the requested queue, or the only one."""
    if requested in queues or (requested is None and len(queues) == 1):
        return requested or queues[0]
    return fail(f"--queue {requested or 'is missing'}: use one of {', '.join(queues)}")
