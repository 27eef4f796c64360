"""Services of a worker process, opened from the settings and checked once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from mashup_worker.db.database import open_database
from mashup_worker.db.schema_check import schema_problems
from mashup_worker.errors import ServiceUnavailable
from mashup_worker.queue.redis_client import check_redis, open_redis
from mashup_worker.storage.objects import check_store, open_storage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import redis

    from mashup_worker.db.database import Database
    from mashup_worker.monitoring.reports import Report
    from mashup_worker.settings import ServiceSettings
    from mashup_worker.storage.objects import Storage
    from mashup_worker.worker.handler import Handler
    from mashup_worker.worker.model_cache import ModelCache


@dataclass(frozen=True, kw_only=True)
class WorkerContext:
    """Services and handlers that all attempts of a process share.

    Attributes:
        on_step: receives the steps of an attempt: `claimed`, `working`, `uploaded`, `publishing`,
            `published`; tests kill the process there.
        send_report: receives reports about attempts and the process.
    """

    settings: ServiceSettings
    database: Database
    redis: redis.Redis
    storage: Storage
    models: ModelCache
    handlers: Mapping[str, Handler[Any]]
    on_step: Callable[[str], None] = lambda _step: None
    send_report: Callable[[Report], None] = lambda _report: None

    @property
    def services(self) -> Mapping[str, Callable[[], object]]:
        """Functions by the name of a service; each raises if the service is unreachable."""
        return {"Postgres": partial(_query, self.database), "Redis": self.redis.ping}


def open_context(
    settings: ServiceSettings,
    models: ModelCache,
    handlers: Mapping[str, Handler[Any]],
    *,
    on_step: Callable[[str], None] = lambda _step: None,
    send_report: Callable[[Report], None] = lambda _report: None,
) -> WorkerContext:
    """Open and check all services.

    Raises:
        InvalidInput: a setting is missing.
        ServiceUnavailable, StorageFailed: a service is unavailable.
    """
    database, client = open_database(settings), open_redis(settings)
    storage = open_storage(settings.storage)
    check_schema(database, settings)
    check_redis(client, settings)
    check_store(storage, settings.worker.scratch)
    return WorkerContext(
        settings=settings,
        database=database,
        redis=client,
        storage=storage,
        models=models,
        handlers=handlers,
        on_step=on_step,
        send_report=send_report,
    )


def check_schema(database: Database, settings: ServiceSettings) -> None:
    """Check that jobs can be run and published, before any is claimed.

    Raises:
        ServiceUnavailable: they cannot; the message has the reasons.
    """
    problems = schema_problems(database, publishing=settings.results.writes_all_tables, api=False)
    if problems:
        raise ServiceUnavailable("; ".join(problems))


def _query(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("SELECT 1")
