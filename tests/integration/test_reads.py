"""Queries on the event loop, over a real Postgres."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import dict_row

from mashup_worker.api.problems import of_database
from mashup_worker.db import database as databases
from mashup_worker.db import jobs
from mashup_worker.db.database import Database
from mashup_worker.db.reads import Reads
from mashup_worker.errors import ServiceUnavailable
from tests.chaos.arena import port_of, with_port
from tests.chaos.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    Query = Callable[..., Awaitable[list[dict[str, Any]]]]

LOCK_TIMEOUT_S = 1.0


@pytest.fixture
def owner(migrated_url: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """Connection as the owner of the tables."""
    with psycopg.connect(migrated_url, autocommit=True, row_factory=dict_row) as connection:
        yield connection


@pytest.fixture
def job(owner: psycopg.Connection[dict[str, Any]]) -> jobs.Job:
    """Job of a user."""
    row = owner.execute("INSERT INTO profiles DEFAULT VALUES RETURNING id").fetchone()
    assert row is not None
    return jobs.insert(owner, "separate", {"audio": "public/a.mp3"}, user_id=row["id"])


def run(url: str, check: Callable[[Query], Awaitable[None]]) -> None:
    """Run a check with one connection, which all of its queries share."""

    async def body(reads: Reads) -> None:
        async with reads.running():
            await check(lambda user, **job_id: select(reads, user, **job_id))

    with Database(url, timeout_s=LOCK_TIMEOUT_S) as database:
        asyncio.run(body(Reads(database, size=1)))


async def select(reads: Reads, user: object, **parameters: object) -> list[dict[str, Any]]:
    claims = {"sub": str(user), "role": "authenticated", "note": "it's \\ %s; ROLLBACK; --"}
    return await reads.select("authenticated", claims, "jobs.shown", **parameters)


@contextmanager
def locked_jobs(url: str) -> Iterator[None]:
    """Let queries of jobs wait until the end of the block."""
    with psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE ai_jobs IN ACCESS EXCLUSIVE MODE")
        yield


async def until_waiting(owner: psycopg.Connection[dict[str, Any]], number: int) -> None:
    """Wait until so many connections wait for a lock."""
    statement = "SELECT pid FROM pg_locks WHERE NOT granted"
    async with asyncio.timeout(30):
        while len(owner.execute(statement).fetchall()) != number:
            await asyncio.sleep(0.01)


def test_each_query_has_the_rights_of_its_user(api_database_url: str, job: jobs.Job) -> None:
    async def check(query: Query) -> None:
        for _ in range(2):
            assert [row["id"] for row in await query(job.user_id, id=job.id)] == [job.id]
            assert await query(uuid4(), id=job.id) == []

    run(api_database_url, check)


def test_a_failed_query_leaves_the_connection_usable(
    api_database_url: str, job: jobs.Job, owner: psycopg.Connection[dict[str, Any]]
) -> None:
    async def check(query: Query) -> None:
        for wrong in ("'; DROP TABLE ai_jobs; --", "\\", "%s"):
            with pytest.raises(psycopg.DataError):
                await query(job.user_id, id=wrong)
            assert len(await query(job.user_id, id=job.id)) == 1
        (connection,) = owner.execute(
            "SELECT state FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename = 'mashup_api'"
        ).fetchall()
        assert connection["state"] == "idle"

    run(api_database_url, check)


def test_a_canceled_request_ends_its_query(
    api_database_url: str,
    migrated_url: str,
    job: jobs.Job,
    owner: psycopg.Connection[dict[str, Any]],
) -> None:
    async def check(query: Query) -> None:
        with locked_jobs(migrated_url):
            request = asyncio.ensure_future(query(job.user_id, id=job.id))
            await until_waiting(owner, 1)
            request.cancel()
            with pytest.raises(asyncio.CancelledError):
                await request
            await until_waiting(owner, 0)
        assert len(await query(job.user_id, id=job.id)) == 1

    run(api_database_url, check)


@pytest.mark.parametrize("limit", ["lock", "statement"])
def test_no_query_waits_for_longer_than_its_limit(
    api_database_url: str,
    migrated_url: str,
    job: jobs.Job,
    limit: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if limit == "statement":
        monkeypatch.setattr(databases, "_STATEMENT_TIMEOUT_S", LOCK_TIMEOUT_S / 4)

    async def check(query: Query) -> None:
        with locked_jobs(migrated_url), pytest.raises(psycopg.OperationalError) as caught:
            await query(job.user_id, id=job.id)
        assert limit in str(caught.value)
        assert isinstance(of_database(caught.value), ServiceUnavailable)
        assert len(await query(job.user_id, id=job.id)) == 1

    run(api_database_url, check)


def test_queries_wait_for_a_connection_and_refuse_if_none_is_free(
    api_database_url: str, migrated_url: str, job: jobs.Job
) -> None:
    async def check(query: Query) -> None:
        assert len(await asyncio.gather(*(query(job.user_id, id=job.id) for _ in range(20)))) == 20
        with locked_jobs(migrated_url):
            found = await asyncio.gather(
                *(query(job.user_id, id=job.id) for _ in range(3)), return_exceptions=True
            )
        assert {type(one) for one in found} == {psycopg.errors.LockNotAvailable, ServiceUnavailable}
        assert len(await query(job.user_id, id=job.id)) == 1

    run(api_database_url, check)


def test_an_outage_is_an_error_and_ends(api_database_url: str, job: jobs.Job) -> None:
    proxy = Proxy(port_of(api_database_url))

    async def is_served(query: Query) -> bool:
        try:
            return len(await query(job.user_id, id=job.id)) == 1
        except (ServiceUnavailable, psycopg.OperationalError):
            return False

    async def check(query: Query) -> None:
        assert await is_served(query)
        proxy.set_mode("refuse")
        for _ in range(2):
            assert not await is_served(query)
        proxy.set_mode("pass")
        async with asyncio.timeout(30):
            while not await is_served(query):
                pass
        proxy.drop()  # as a server that restarts, or a pooler that closes connections
        await is_served(query)
        assert await is_served(query)

    run(with_port(api_database_url, proxy.port), check)
    proxy.close()
