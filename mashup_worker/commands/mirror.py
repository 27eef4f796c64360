"""`mashup mirror`: keeps Redis in step with Postgres."""

from __future__ import annotations

import signal
import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from mashup_worker.commands.shared.failure import service_settings_or_fail
from mashup_worker.commands.shared.metrics_option import MetricsAddress  # noqa: TC001  (typer reads it)

if TYPE_CHECKING:
    import redis

    from mashup_worker.db.database import Database
    from mashup_worker.monitoring.mirror_metrics import MirrorMetrics
    from mashup_worker.queue.mirror import Mirror
    from mashup_worker.settings import ServiceSettings

_ORPHANS_EVERY_S = 3_600.0
_LOOK_EVERY_S = 5.0


def mirror(
    metrics: MetricsAddress = None,
    stop_with_parent: Annotated[
        bool, typer.Option(hidden=True, help="Stop when standard input ends.")
    ] = False,
) -> None:
    """Ring for waiting jobs, take back those whose worker died, cancel, and mirror the status.

    One is enough; several agree with each other. Prints a line that begins with "ready" after its
    first pass.
    """
    from mashup_worker.logs import log_to_stderr
    from mashup_worker.monitoring.mirror_metrics import MirrorMetrics
    from mashup_worker.monitoring.server import serving
    from mashup_worker.queue.hints import PostgresHints, RedisHints
    from mashup_worker.queue.mirror import Chore, Mirror
    from mashup_worker.system.child_guard import stop_with_parent as follow_parent
    from mashup_worker.worker.open_tools import (
        check_redis,
        check_schema,
        open_database,
        open_redis,
    )

    settings = service_settings_or_fail()
    log_to_stderr(settings.monitoring.log_format)
    with open_database(settings) as database, open_redis(settings) as client:
        check_schema(database, settings)
        check_redis(client, settings)
        counted = MirrorMetrics(settings.queue.poll_s)
        address = metrics or settings.monitoring.metrics_address
        chores = [
            Chore(
                "orphan sweep",
                _ORPHANS_EVERY_S,
                lambda: counted.orphans_removed(_sweep(database, settings)),
            )
        ]
        if address is not None:
            look = partial(_look_at_queue, counted, database, client, settings)
            chores.append(Chore("look at the queue", _LOOK_EVERY_S, look))
        running = Mirror(database, client, settings, chores, counted)
        _stop_on_signals(running)
        if stop_with_parent:
            follow_parent()
        if settings.connections.listen != "off":
            PostgresHints(
                database.url, running.wake, insist=settings.connections.listen == "on"
            ).start()
        RedisHints(client, running.wake).start()
        with serving(address, counted):
            running.run(_say_ready)


def _say_ready() -> None:
    typer.echo("ready: mirror")
    sys.stdout.flush()


def _stop_on_signals(running: Mirror) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: running.stop())


def _sweep(database: Database, settings: ServiceSettings) -> int:
    """Remove what no row names; how many objects that were."""
    from mashup_worker.worker.orphans import sweep_results

    if not settings.results.writes_all_tables or not (
        settings.storage.storage_url or settings.storage.s3_bucket
    ):
        return 0
    return len(sweep_results(database, settings, dry_run=False).removed)


def _look_at_queue(
    counted: MirrorMetrics, database: Database, client: redis.Redis, settings: ServiceSettings
) -> None:
    from rq import Worker

    from mashup_worker.db.tiers import open_by_tier
    from mashup_worker.queue.doorbell import queue_of, rung

    with database.transaction() as connection:
        jobs = open_by_tier(connection)
    queues = {name: queue_of(name, client) for name in settings.queue.queues}
    counted.see_queue(
        jobs,
        {name: len(rung(queue)) for name, queue in queues.items()},
        {name: Worker.count(queue=queue) for name, queue in queues.items()},
    )
