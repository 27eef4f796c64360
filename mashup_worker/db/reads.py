"""Single statements on the event loop, for requests that are too frequent for threads."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from mashup_worker.db.database import CHECK_AFTER_S, connection_options, location
from mashup_worker.db.named_sql import statements
from mashup_worker.errors import ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from mashup_worker.db.database import Database


class Reads:
    """Pool of asynchronous connections for queries, each of which is a transaction of its own.

    A transaction is sent as one string, and takes one round trip.
    """

    def __init__(self, database: Database, *, size: int) -> None:
        self._database = database
        self._pool: AsyncConnectionPool[_Connection] = AsyncConnectionPool(
            database.url,
            min_size=0,
            max_size=size,
            timeout=database.timeout_s,
            max_idle=60.0,
            reconnect_timeout=database.timeout_s,
            check=_check_if_idle,
            connection_class=_Connection,
            kwargs={**connection_options(), "autocommit": True},
            open=False,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Connect when needed until the end of the context."""
        await self._pool.open()
        try:
            yield
        finally:
            await self._pool.close(timeout=1.0)

    async def select(
        self, role: str, claims: Mapping[str, Any], statement: str, /, **parameters: Any
    ) -> list[dict[str, Any]]:
        """Execute the query `<file>.<name>` with a role and claims, and return its rows.

        Raises:
            ServiceUnavailable: no connection is available.
        """
        file, _, name = statement.partition(".")
        begin = self._database.begin(role, claims) + b"; "
        try:
            async with self._pool.connection() as connection:
                cursor = psycopg.AsyncClientCursor(connection)
                query = cursor.mogrify(statements(file)[name], parameters).encode()
                await cursor.execute(begin + query + b" COMMIT")
                while cursor.description is None and cursor.nextset():
                    pass  # the statements before the query have no rows
                rows = await cursor.fetchall()
                connection.used_s = time.monotonic()
                return rows
        except PoolTimeout as error:
            raise ServiceUnavailable(
                f"Postgres at {location(self._database.url)}: no connection"
            ) from error


class _Connection(psycopg.AsyncConnection[dict[str, Any]]):
    """Connection with the time of its last use."""

    used_s = 0.0


async def _check_if_idle(connection: _Connection) -> None:
    if time.monotonic() - connection.used_s > CHECK_AFTER_S:
        await AsyncConnectionPool.check_connection(connection)
