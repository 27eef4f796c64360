"""From settings to the tools of a process, each service checked once."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import redis

from mashup_worker.db.database import Database
from mashup_worker.db.schema_check import faults
from mashup_worker.errors import InvalidInput, ServiceUnavailable
from mashup_worker.monitoring.vitals import watch_vitals
from mashup_worker.queue.redis_client import connect, place
from mashup_worker.storage.objects import check_store
from mashup_worker.storage.open import open_storage
from mashup_worker.worker.attempt import Tools

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mashup_worker.monitoring.reports import Report
    from mashup_worker.settings import ServiceSettings
    from mashup_worker.worker.work import Handler, Models


_REDIS_TIMEOUT_S = 1.0


def open_database(settings: ServiceSettings) -> Database:
    """The database of the settings; not yet connected.

    Raises:
        InvalidInput: there is none.
    """
    if settings.connections.database_url is None:
        raise InvalidInput("DATABASE_URL is not set")
    url = settings.connections.database_url.get_secret_value()
    try:
        psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        # Its own words would quote the password.
        raise InvalidInput("DATABASE_URL is not of the form postgresql://…") from None
    # An outage must be noticed several times within a lease, and not hold up whoever notices it.
    patience_s = min(5.0, max(1.0, settings.attempts.lease_s / 12))
    return Database(url, patience_s=patience_s)


def open_redis(settings: ServiceSettings) -> redis.Redis:
    """The Redis of the settings; not yet connected.

    Raises:
        InvalidInput: there is none.
    """
    if settings.connections.redis_url is None:
        raise InvalidInput("REDIS_URL is not set")
    # Short, because heartbeats wait for it.
    return connect(settings.connections.redis_url.get_secret_value(), timeout_s=_REDIS_TIMEOUT_S)


def check_schema(database: Database, settings: ServiceSettings) -> None:
    """Make sure that jobs can be run and published before any is claimed.

    Raises:
        ServiceUnavailable: they can't; the message says why.
    """
    found = faults(database, publishing=settings.results.writes_all_tables)
    if found:
        raise ServiceUnavailable("; ".join(found))


def check_redis(client: redis.Redis, settings: ServiceSettings) -> None:
    """Make sure that Redis answers.

    Raises:
        ServiceUnavailable: it does not.
    """
    try:
        client.ping()
    except redis.RedisError as error:
        url = (
            settings.connections.redis_url.get_secret_value()
            if settings.connections.redis_url
            else ""
        )
        raise ServiceUnavailable(f"Redis at {place(url)}: {error}") from error


def open_tools(
    settings: ServiceSettings,
    models: Models,
    handlers: Mapping[str, Handler],
    at: Callable[[str], None] = lambda _point: None,
    tell: Callable[[Report], None] = lambda _report: None,
) -> Tools:
    """The tools of a worker, after a look at each service. Its vitals are told from now on.

    Raises:
        InvalidInput: a setting is missing.
        ServiceUnavailable, StorageFailed: a service can't be used.
    """
    database, client = open_database(settings), open_redis(settings)
    storage = open_storage(settings.storage)
    check_schema(database, settings)
    check_redis(client, settings)
    with tempfile.TemporaryDirectory(dir=settings.worker.scratch) as folder:
        check_store(storage, Path(folder) / "probe", uuid4().hex)
    watch_vitals(tell, {"Postgres": partial(_ask, database), "Redis": client.ping})
    return Tools(settings, database, client, storage, models, handlers, at, tell)


def _ask(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("SELECT 1")
