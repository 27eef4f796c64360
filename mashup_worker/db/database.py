"""Connections to Postgres, direct or through a pooler."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads
from psycopg_pool import ConnectionPool, PoolTimeout

from mashup_worker.errors import InvalidInput, ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mashup_worker.settings import ServiceSettings

    Connection = psycopg.Connection[dict[str, Any]]

_CONNECT_TIMEOUT_S = 5
_STATEMENT_TIMEOUT_S = 30.0
CHECK_AFTER_S = 1.0
"""Time without use after which a connection is checked before it is used again."""

_OUTAGE_STATES = ("08", "57P")
"""Prefixes of the SQLSTATE codes of lost connections and of a server that shuts down."""

OUTAGES = (psycopg.OperationalError, psycopg.InterfaceError, ServiceUnavailable)
"""Errors while the database is unreachable; a later attempt may succeed."""


class Database:
    """Small pool of connections that reconnects after outages.

    Works through a transaction pooler: it uses no session state, no prepared statements and no
    session locks.

    Attributes:
        timeout_s: longest wait for a connection or a row lock.
    """

    def __init__(self, url: str, *, size: int = 4, timeout_s: float = 5.0) -> None:
        self.url = url
        self.timeout_s = timeout_s
        self._begin = (
            f"BEGIN; SET LOCAL lock_timeout = {round(1_000 * timeout_s)};"
            f" SET LOCAL statement_timeout = {round(1_000 * _STATEMENT_TIMEOUT_S)}"
        ).encode()
        self._pool: ConnectionPool[_PooledConnection] = ConnectionPool(
            url,
            min_size=0,
            max_size=size,
            timeout=timeout_s,
            max_idle=60.0,
            reconnect_timeout=timeout_s,
            check=_check_if_idle,
            connection_class=_PooledConnection,
            kwargs=connection_options(),
            configure=_configure,
            open=True,
        )

    @contextmanager
    def transaction(
        self, role: str | None = None, claims: Mapping[str, Any] | None = None
    ) -> Iterator[Connection]:
        """Yield a connection in a transaction, committed at the end or rolled back on an exception.

        Args:
            role: role of the statements; the connected role must be a member.
            claims: claims of the caller's token, which `auth.uid()` reads.

        Raises:
            ServiceUnavailable: no connection is available.
        """
        try:
            with self._pool.connection() as connection:
                connection.execute(self.begin(role, claims))
                yield connection
                connection.used_s = time.monotonic()
        except PoolTimeout as error:
            raise ServiceUnavailable(
                f"Postgres at {location(self.url)}: no connection: {self._reason()}"
            ) from error

    def begin(self, role: str | None, claims: Mapping[str, Any] | None) -> bytes:
        """Return the statements that begin a transaction, as one string for one round trip."""
        return self._begin + _assumption(role, claims)

    def _reason(self) -> str:
        """Return the reason of a pool timeout, which the pool does not report."""
        try:
            with psycopg.connect(self.url, connect_timeout=_CONNECT_TIMEOUT_S):
                return f"all connections were in use for {self.timeout_s:g} s"
        except psycopg.Error as error:
            return reason_of(error)

    def close(self) -> None:
        """Close all connections."""
        self._pool.close(timeout=1.0)

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def assume_role(connection: Connection, role: str, claims: Mapping[str, Any]) -> None:
    """Execute the rest of a transaction with a role and claims, as in `Database.transaction`."""
    connection.execute(_assumption(role, claims).removeprefix(b"; "))


def _assumption(role: str | None, claims: Mapping[str, Any] | None) -> bytes:
    statements = b""
    if claims is not None:
        statements += b"; SET LOCAL request.jwt.claims = "
        statements += sql.Literal(json.dumps(claims)).as_bytes()
    if role is not None:
        statements += b"; SET LOCAL ROLE " + sql.Identifier(role).as_bytes()
    return statements


@dataclass(frozen=True)
class UnreadableJson:
    """JSON that Postgres stores and Python cannot parse: too deep, or with too many digits."""

    reason: str


class _PooledConnection(psycopg.Connection[dict[str, Any]]):
    """Connection with the time of its last use."""

    used_s = 0.0


def _check_if_idle(connection: _PooledConnection) -> None:
    if time.monotonic() - connection.used_s > CHECK_AFTER_S:
        ConnectionPool.check_connection(connection)


def _configure(connection: _PooledConnection) -> None:
    connection.autocommit = True  # `Database.begin` begins the transactions
    _read_any_json(connection)


def _read_any_json(connection: Connection) -> None:
    """Read a value that cannot be parsed as `UnreadableJson`; other rows stay readable."""

    def loads(text: str | bytes) -> Any:
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            return UnreadableJson(str(error))

    set_json_loads(loads, connection)


def open_database(settings: ServiceSettings, *, size: int = 4) -> Database:
    """Return the database of the settings, with up to `size` connections; does not connect.

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
    return Database(url, size=size, timeout_s=timeout_s)


def connection_options() -> dict[str, Any]:
    """Return the options of all connections, pooled or not."""
    return {
        "row_factory": dict_row,
        "prepare_threshold": None,
        "connect_timeout": _CONNECT_TIMEOUT_S,
        "application_name": "mashup-worker",
        # Detects a vanished peer within a minute; the system's default is two hours.
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
    }


def is_outage(error: BaseException) -> bool:
    """Return whether an error means that the database is unreachable, and not that it refuses."""
    if isinstance(error, psycopg.Error) and error.sqlstate is not None:
        return error.sqlstate.startswith(_OUTAGE_STATES)
    return isinstance(error, OUTAGES)


def location(url: str) -> str:
    """Return host, port and database of a URL without its password, for messages."""
    try:
        parts = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return "an invalid address"
    host, port = parts.get("host", "localhost"), parts.get("port", "5432")
    return f"{host}:{port}/{parts.get('dbname', '')}"


def reason_of(error: BaseException) -> str:
    """Return the first line of an error's message, or else its class name."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
