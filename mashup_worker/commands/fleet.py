"""`mashup fleet`: queues, worker processes, throughput and cost."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from mashup_worker.commands.shared.failure import fail, service_settings_or_fail
from mashup_worker.commands.shared.options import AsJson
from mashup_worker.commands.shared.services import jobs_database

if TYPE_CHECKING:
    from collections.abc import Callable

    from mashup_worker.monitoring.fleet import Fleet

_REFRESH_S = 2.0
_GROUPS = ("user", "job_type")


def fleet(
    hours: Annotated[
        float, typer.Option(min=0.01, max=2_208, help="Hours of the figures of ended jobs.")
    ] = 24,
    group_by: Annotated[
        str | None, typer.Option(help="Divide the figures of ended jobs by user or job_type.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show queues, worker processes, throughput and cost.

    Worker processes announce themselves in Redis. Without REDIS_URL, or while Redis is unreachable,
    the other figures are shown.
    """
    from mashup_worker.commands.shared.fleet_view import render
    from mashup_worker.monitoring.fleet import read_fleet
    from mashup_worker.queue.redis_client import open_redis

    if group_by not in (None, *_GROUPS):
        fail(f"--group-by {group_by}: use one of {', '.join(_GROUPS)}")
    if watch and (as_json or not sys.stdout.isatty()):
        fail("--watch: needs a terminal, and no --json")
    settings = service_settings_or_fail()
    with ExitStack() as services:
        database = services.enter_context(jobs_database())
        client = (
            services.enter_context(open_redis(settings)) if settings.connections.redis_url else None
        )

        def read() -> Fleet:
            with database.transaction() as connection:
                return read_fleet(
                    connection,
                    client,
                    settings,
                    hours=hours,
                    group_by=group_by,  # type: ignore[arg-type]  # checked above
                )

        if watch:
            _watch(read)
        elif as_json:
            typer.echo(read().model_dump_json())
        else:
            from rich.console import Console

            Console(width=None if sys.stdout.isatty() else 200).print(render(read()))


def _watch(read: Callable[[], Fleet]) -> None:
    """Refresh the tables on the terminal."""
    from rich.console import Console
    from rich.live import Live

    from mashup_worker.commands.shared.fleet_view import render

    with Live(render(read()), console=Console(), auto_refresh=False) as live:
        while True:
            time.sleep(_REFRESH_S)
            live.update(render(read()), refresh=True)
