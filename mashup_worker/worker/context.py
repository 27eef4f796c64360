"""Services of a worker process, opened from the settings and checked once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
import redis

from mashup_worker.db.database import Database
from mashup_worker.db.schema_check import schema_problems
from mashup_worker.errors import InvalidInput, ServiceUnavailable
from mashup_worker.monitoring.health import watch_health
from mashup_worker.queue.redis_client import connect, location
from mashup_worker.storage.objects import check_store, open_storage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mashup_worker.monitoring.reports import Report
    from mashup_worker.settings import ServiceSettings
    from mashup_worker.storage.objects import Storage
    from mashup_worker.worker.handler import Handler
    from mashup_worker.worker.model_cache import ModelCache

_REDIS_TIMEOUT_S = 1.0


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


def open_context(
    settings: ServiceSettings,
    models: ModelCache,
    handlers: Mapping[str, Handler[Any]],
    *,
    on_step: Callable[[str], None] = lambda _step: None,
    send_report: Callable[[Report], None] = lambda _report: None,
) -> WorkerContext:
    """Open and check all services, and start sending health reports.

    Raises:
        InvalidInput: a setting is missing.
        ServiceUnavailable, StorageFailed: a service is unavailable.
    """
    database, client = open_database(settings), open_redis(settings)
    storage = open_storage(settings.storage)
    check_schema(database, settings)
    check_redis(client, settings)
    check_store(storage, settings.worker.scratch)
    watch_health(send_report, {"Postgres": partial(_query, database), "Redis": client.ping})
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


def open_database(settings: ServiceSettings) -> Database:
    """Return the database of the settings, without connecting.

    Raises:
        InvalidInput: DATABASE_URL is missing or invalid.
    """
    if settings.connections.database_url is None:
        raise InvalidInput("DATABASE_URL: not set; give postgresql://…")
    url = settings.connections.database_url.get_secret_value()
    try:
        psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        # The message of the original error contains the password.
        raise InvalidInput("DATABASE_URL: invalid; give postgresql://…") from None
    # Short, so that an outage fails several heartbeats before the lease ends.
    timeout_s = min(5.0, max(1.0, settings.attempts.lease_s / 12))
    return Database(url, timeout_s=timeout_s)


def open_redis(settings: ServiceSettings, *, timeout_s: float = _REDIS_TIMEOUT_S) -> redis.Redis:
    """Return a client of the Redis of the settings, without connecting.

    The default timeout is short, because heartbeats wait for Redis.

    Raises:
        InvalidInput: REDIS_URL is missing or invalid.
    """
    if settings.connections.redis_url is None:
        raise InvalidInput("REDIS_URL: not set; give redis://…")
    return connect(settings.connections.redis_url.get_secret_value(), timeout_s=timeout_s)


def check_schema(database: Database, settings: ServiceSettings) -> None:
    """Check that jobs can be run and published, before any is claimed.

    Raises:
        ServiceUnavailable: they cannot; the message has the reasons.
    """
    problems = schema_problems(database, publishing=settings.results.writes_all_tables)
    if problems:
        raise ServiceUnavailable("; ".join(problems))


def check_redis(client: redis.Redis, settings: ServiceSettings) -> None:
    """Check that Redis answers.

    Raises:
        ServiceUnavailable: it does not.
    """
    try:
        client.ping()
    except redis.RedisError as error:
        raise redis_unavailable(settings, error) from error


def redis_unavailable(settings: ServiceSettings, error: redis.RedisError) -> ServiceUnavailable:
    """Return the error for a Redis that fails, without its password."""
    url = settings.connections.redis_url
    return ServiceUnavailable(
        f"Redis at {location(url.get_secret_value()) if url else ''}: {error}"
    )


def _query(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("SELECT 1")
