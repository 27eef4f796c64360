"""Connections to Postgres, direct or through a pooler."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from mashup_worker.errors import ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    Connection = psycopg.Connection[dict[str, Any]]

_CONNECT_TIMEOUT_S = 5
_STATEMENT_TIMEOUT_MS = 30_000

OUTAGES = (psycopg.OperationalError, psycopg.InterfaceError, ServiceUnavailable)
"""What is raised while the database can't be reached: waiting helps."""


class Database:
    """A small pool of connections that mends itself.

    Nothing here needs more than a transaction: no session state, no prepared statements, no session
    locks. So a transaction pooler will do.
    """

    def __init__(self, url: str, *, size: int = 4, patience_s: float = 5.0) -> None:
        self.url = url
        self._patience_s = patience_s
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            url,
            min_size=0,
            max_size=size,
            timeout=patience_s,
            max_idle=60.0,
            reconnect_timeout=patience_s,
            check=ConnectionPool.check_connection,
            kwargs=connection_options(),
            open=True,
        )

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection in a transaction, committed at the end and rolled back by an exception.

        Raises:
            ServiceUnavailable: no connection can be had.
        """
        try:
            with self._pool.connection() as connection:
                yield connection
        except PoolTimeout as error:
            raise ServiceUnavailable(
                f"Postgres at {place(self.url)} does not answer within {self._patience_s:g} s"
            ) from error

    def close(self) -> None:
        """Close all connections."""
        self._pool.close(timeout=1.0)

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def connection_options() -> dict[str, Any]:
    """How connections are made, pooled or alone."""
    return {
        "row_factory": dict_row,
        "prepare_threshold": None,
        "connect_timeout": _CONNECT_TIMEOUT_S,
        "application_name": "mashup-worker",
        # A machine that vanished is noticed within a minute, not after two hours.
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
    }


def place(url: str) -> str:
    """Host and database of a URL, without its password, for messages."""
    try:
        parts = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return "the given address"
    host, port = parts.get("host", "localhost"), parts.get("port", "5432")
    return f"{host}:{port}/{parts.get('dbname', '')}"


def reason_of(error: BaseException) -> str:
    """What Postgres said, in one line."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
