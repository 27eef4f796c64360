"""`mashup mirror`: wakes workers and copies job states from Postgres to Redis."""

from __future__ import annotations

import signal
import sys
from functools import partial
from typing import TYPE_CHECKING

import typer

from mashup_worker.commands.shared.failure import service_settings_or_fail
from mashup_worker.commands.shared.options import MetricsAddress, StopWithParent

if TYPE_CHECKING:
    import redis

    from mashup_worker.db.database import Database
    from mashup_worker.monitoring.mirror_metrics import MirrorMetrics
    from mashup_worker.queue.mirror import Mirror
    from mashup_worker.settings import QueueSettings, ServiceSettings, WebhookSettings

_ORPHANS_EVERY_S = 3_600.0
_GAUGES_EVERY_S = 5.0
_DELIVERED_EVERY_S = 600.0


def mirror(metrics: MetricsAddress = None, stop_with_parent: StopWithParent = False) -> None:
    """Wake workers, copy job states to Redis, and send webhooks.

    Requeues the jobs of dead workers, and cancels jobs on request. One mirror is enough; several
    cooperate. Prints a line that starts with "ready" after the first pass.
    """
    from mashup_worker.api.webhook_body import WebhookBodies
    from mashup_worker.db.database import open_database
    from mashup_worker.logs import log_to_stderr
    from mashup_worker.monitoring.mirror_metrics import MirrorMetrics
    from mashup_worker.monitoring.server import serve_metrics
    from mashup_worker.queue.listeners import PostgresListener, RedisListener
    from mashup_worker.queue.mirror import Mirror, PeriodicTask
    from mashup_worker.queue.redis_client import check_redis, open_redis
    from mashup_worker.system.child_guard import stop_with_parent as start_parent_watch
    from mashup_worker.webhooks.sender import WebhookSender
    from mashup_worker.worker.context import check_schema

    settings = service_settings_or_fail()
    log_to_stderr(settings.monitoring.log_format)
    with open_database(settings) as database, open_redis(settings) as client:
        check_schema(database, settings)
        check_redis(client, settings)
        mirror_metrics = MirrorMetrics(settings.queue.poll_s)
        address = metrics or settings.monitoring.metrics_address
        sweep = partial(_sweep, mirror_metrics, database, settings)
        remove_delivered = partial(_remove_delivered, database, settings.webhooks)
        tasks = [
            PeriodicTask("orphan sweep", _ORPHANS_EVERY_S, sweep),
            PeriodicTask("removal of delivered webhooks", _DELIVERED_EVERY_S, remove_delivered),
        ]
        if address is not None:
            set_gauges = partial(_set_gauges, mirror_metrics, database, client, settings.queue)
            tasks.append(PeriodicTask("queue gauges", _GAUGES_EVERY_S, set_gauges))
        running = Mirror(
            database, client, settings.queue, periodic_tasks=tasks, observer=mirror_metrics
        )
        sender = WebhookSender(database, settings, WebhookBodies(settings), mirror_metrics)

        def wake() -> None:
            running.wake()
            sender.wake()

        _stop_on_signals(running)
        if stop_with_parent:
            start_parent_watch()
        listen = settings.connections.listen
        if listen != "off":
            PostgresListener(database.url, wake, insist=listen == "on").start()
        RedisListener(client, running.wake).start()
        with serve_metrics(address, mirror_metrics):
            sender.start()
            running.run(_print_ready)
            sender.stop()


def _print_ready() -> None:
    typer.echo("ready: mirror")
    sys.stdout.flush()


def _stop_on_signals(running: Mirror) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: running.stop())


def _sweep(metrics: MirrorMetrics, database: Database, settings: ServiceSettings) -> None:
    """Remove and count orphaned results, if this mirror knows the store and all tables."""
    from mashup_worker.worker.orphans import sweep_results

    has_store = settings.storage.storage_url or settings.storage.s3_bucket
    if settings.results.writes_all_tables and has_store:
        swept = sweep_results(database, settings, dry_run=False)
        metrics.orphans_removed(len(swept.removed))


def _remove_delivered(database: Database, settings: WebhookSettings) -> None:
    from mashup_worker.db import webhooks

    with database.transaction() as connection:
        webhooks.remove_delivered(connection, age_s=settings.webhook_retention_s)


def _set_gauges(
    metrics: MirrorMetrics, database: Database, client: redis.Redis, settings: QueueSettings
) -> None:
    from rq import Worker

    from mashup_worker.db import webhooks
    from mashup_worker.db.queues import all_queues
    from mashup_worker.db.tiers import open_by_tier
    from mashup_worker.queue.wakeups import pending_wakeups, rq_queue

    with database.transaction() as connection:
        jobs = open_by_tier(connection)
        states = all_queues(connection, settings.queues)
        outbox = webhooks.summary(connection)
    metrics.set_webhooks(outbox)
    queues = {name: rq_queue(name, client) for name in settings.queues}
    metrics.set_queue(
        jobs,
        {name: len(pending_wakeups(queue)) for name, queue in queues.items()},
        {name: Worker.count(queue=queue) for name, queue in queues.items()},
        {state.name: state.paused_at is not None for state in states},
    )
