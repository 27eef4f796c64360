"""Checks of the database, Redis and object storage, where settings name them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mashup_worker.doctor.finding import Finding
from mashup_worker.errors import MashupError
from mashup_worker.settings import load_service_settings

if TYPE_CHECKING:
    from mashup_worker.settings import Settings

_NOT_SET = "not set; only the job queue needs it"
_REMEDY = "set it to use the job queue, or run all services on this machine with `mashup up`"


def check_database(_settings: Settings) -> Finding:
    """Report whether a job can be claimed, completed and published."""
    settings = load_service_settings()
    if settings.connections.database_url is None:
        return Finding("database", "note", f"DATABASE_URL is {_NOT_SET}", _REMEDY)
    from mashup_worker.db.database import location, open_database
    from mashup_worker.db.schema_check import schema_problems

    try:
        with open_database(settings) as database:
            found = schema_problems(database, publishing=settings.results.writes_all_tables)
            where = location(database.url)
    except MashupError as error:
        return Finding("database", "error", error.message, "check DATABASE_URL")
    if found:
        remedy = "run `mashup migrate` as the tables' owner; docs/queue.md describes other schemas"
        return Finding("database", "error", "; ".join(found), remedy, {"problems": found})
    return Finding("database", "ok", f"{where}: jobs can be claimed, completed and published")


def check_redis(_settings: Settings) -> Finding:
    """Report whether Redis answers."""
    settings = load_service_settings()
    if settings.connections.redis_url is None:
        return Finding("redis", "note", f"REDIS_URL is {_NOT_SET}", _REMEDY)
    from mashup_worker.queue import redis_client

    try:
        with redis_client.open_redis(settings) as client:
            redis_client.check_redis(client, settings)
            version = client.info("server").get("redis_version", "?")
    except MashupError as error:
        return Finding("redis", "error", error.message, "check REDIS_URL")
    where = redis_client.location(settings.connections.redis_url.get_secret_value())
    return Finding("redis", "ok", f"{where}, version {version}")


def check_queues(_settings: Settings) -> Finding:
    """Report paused queues, and the number of jobs that wait and run."""
    settings = load_service_settings()
    if settings.connections.database_url is None:
        return Finding("queues", "note", f"DATABASE_URL is {_NOT_SET}", _REMEDY)
    import psycopg

    from mashup_worker.db.database import open_database, reason_of
    from mashup_worker.db.queues import all_queues, open_jobs

    try:
        with open_database(settings) as database, database.transaction() as connection:
            queues = all_queues(connection, settings.queue.queues)
            jobs = {queue.name: open_jobs(connection, queue.job_types) for queue in queues}
    except (MashupError, psycopg.Error) as error:
        return Finding("queues", "error", reason_of(error), "see the check of the database")
    paused = [queue for queue in queues if queue.paused_at is not None]
    details = {"open_jobs": jobs, "paused": [queue.name for queue in paused]}
    if not paused:
        counts = ", ".join(f"{name}: {number} open jobs" for name, number in jobs.items())
        return Finding("queues", "ok", counts, details=details)
    message = "; ".join(
        f"{queue.name}: paused since {queue.paused_at:%Y-%m-%d %H:%M %Z}; no job starts"
        for queue in paused
    )
    remedy = f"run `mashup queue resume {paused[0].name}`"
    return Finding("queues", "warning", message, remedy, details)


def check_storage(_settings: Settings) -> Finding:
    """Report whether objects can be written and read."""
    settings = load_service_settings()
    if settings.storage.storage_url is None and settings.storage.s3_bucket is None:
        return Finding("storage", "note", f"S3_BUCKET or STORAGE_URL is {_NOT_SET}", _REMEDY)
    from mashup_worker.storage.objects import check_store, open_storage

    try:
        check_store(open_storage(settings.storage))
    except MashupError as error:
        remedy = "check S3_ENDPOINT_URL, S3_BUCKET, S3_REGION and the credentials"
        return Finding("storage", "error", error.message, remedy)
    where = settings.storage.storage_url or f"bucket {settings.storage.s3_bucket}"
    return Finding("storage", "ok", f"{where} can be written and read")
