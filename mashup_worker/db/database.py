"""Connections to Postgres, direct or through a pooler."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads
from psycopg_pool import ConnectionPool, PoolTimeout

from mashup_worker.errors import ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    Connection = psycopg.Connection[dict[str, Any]]

_CONNECT_TIMEOUT_S = 5
_STATEMENT_TIMEOUT_S = 30.0

_AWAY = ("08", "57P")
"""Classes of SQLSTATE that say that the server goes or is gone."""

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
        # Nobody waits for a row that somebody else holds and forgot.
        self._limits = (
            f"SET LOCAL lock_timeout = {round(1_000 * patience_s)};"
            f" SET LOCAL statement_timeout = {round(1_000 * _STATEMENT_TIMEOUT_S)}"
        ).encode()
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            url,
            min_size=0,
            max_size=size,
            timeout=patience_s,
            max_idle=60.0,
            reconnect_timeout=patience_s,
            check=ConnectionPool.check_connection,
            kwargs=connection_options(),
            configure=_read_any_json,
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
                connection.execute(self._limits)
                yield connection
        except PoolTimeout as error:
            raise ServiceUnavailable(
                f"Postgres at {place(self.url)} can't be used: {self._why()}"
            ) from error

    def _why(self) -> str:
        """Why there is no connection: the pool keeps that to itself."""
        try:
            with psycopg.connect(self.url, connect_timeout=_CONNECT_TIMEOUT_S):
                return f"no connection was free within {self._patience_s:g} s"
        except psycopg.Error as error:
            return reason_of(error)

    def close(self) -> None:
        """Close all connections."""
        self._pool.close(timeout=1.0)

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class UnreadableJson:
    """JSON that Postgres took and Python does not: nested too deep, or a number without end."""

    reason: str


def _read_any_json(connection: Connection) -> None:
    """A value that somebody wrote must not keep others from reading their rows."""

    def loads(text: str | bytes) -> Any:
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            return UnreadableJson(str(error))

    set_json_loads(loads, connection)


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


def is_away(error: BaseException) -> bool:
    """Whether an error says that the database can't be reached, and not that it refuses."""
    if isinstance(error, psycopg.Error) and error.sqlstate is not None:
        return error.sqlstate.startswith(_AWAY)
    return isinstance(error, OUTAGES)


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
