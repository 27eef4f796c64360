"""`mashup mirror`: keeps Redis in step with Postgres."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from mashup_worker.commands.failure import service_settings_or_fail

if TYPE_CHECKING:
    from mashup_worker.db.database import Database
    from mashup_worker.queue.mirror import Mirror
    from mashup_worker.service_settings import ServiceSettings

_ORPHANS_EVERY_S = 3_600.0


def mirror(
    stop_with_parent: Annotated[
        bool, typer.Option(hidden=True, help="Stop when standard input ends.")
    ] = False,
) -> None:
    """Ring for waiting jobs, take back those whose worker died, cancel, and mirror the status.

    One is enough; several agree with each other. Prints a line that begins with "ready" after its
    first pass.
    """
    from mashup_worker.logs import log_to_stderr
    from mashup_worker.queue.hints import PostgresHints, RedisHints
    from mashup_worker.queue.mirror import Chore, Mirror
    from mashup_worker.worker.open_tools import (
        check_redis,
        check_schema,
        open_database,
        open_redis,
    )
    from mashup_worker.worker.orphaned import stop_with_parent as follow_parent

    log_to_stderr()
    settings = service_settings_or_fail()
    with open_database(settings) as database, open_redis(settings) as client:
        check_schema(database, settings)
        check_redis(client, settings)
        chores = [Chore("orphan sweep", _ORPHANS_EVERY_S, lambda: _sweep(database, settings))]
        running = Mirror(database, client, settings, chores)
        _stop_on_signals(running)
        if stop_with_parent:
            follow_parent()
        if settings.listen != "off":
            PostgresHints(database.url, running.wake, insist=settings.listen == "on").start()
        RedisHints(client, running.wake).start()
        running.run(_say_ready)


def _say_ready() -> None:
    typer.echo("ready: mirror")
    sys.stdout.flush()


def _stop_on_signals(running: Mirror) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: running.stop())


def _sweep(database: Database, settings: ServiceSettings) -> None:
    from mashup_worker.worker.orphans import sweep_results

    if settings.publish == "all" and (settings.storage_url or settings.s3_bucket):
        sweep_results(database, settings, dry_run=False)
