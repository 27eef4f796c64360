"""Numbered migrations, each in a transaction of its own, once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

import psycopg
from psycopg.rows import dict_row

from mashup_worker.db.database import connection_options, place, reason_of
from mashup_worker.errors import ServiceUnavailable

if TYPE_CHECKING:
    from mashup_worker.db.database import Connection

_LOCK = 0x6D617368
"""Of the advisory lock that lets migrations of two processes follow each other."""


@dataclass(frozen=True)
class Migration:
    """One step of the schema.

    Attributes:
        name: its file's name without the ending, number first.
        sql: its statements.
    """

    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Digest of its text, to notice an edited file."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> tuple[Migration, ...]:
    """All there are, in order."""
    folder = files("mashup_worker.db").joinpath("migrations")
    return tuple(
        Migration(file.name.removesuffix(".sql"), file.read_text(encoding="utf-8"))
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".sql")
    )


def migrate(database_url: str) -> list[str]:
    """Bring the schema up to date.

    Args:
        database_url: of the tables' owner.

    Returns:
        Names of the migrations that were applied now.

    Raises:
        ServiceUnavailable: the database can't be reached, or refuses a statement; what was applied
            before stays, and the migration that failed leaves nothing.
    """
    return [one.name for one in migrations() if _apply(database_url, one)]


def pending(connection: Connection) -> list[str]:
    """Names of the migrations that a database lacks."""
    done = _applied(connection)
    return [migration.name for migration in migrations() if migration.name not in done]


def edited(connection: Connection) -> list[str]:
    """Names of the migrations that were applied with another text than they have now."""
    done = _applied(connection)
    return [one.name for one in migrations() if done.get(one.name, one.sha256) != one.sha256]


def _applied(connection: Connection) -> dict[str, str]:
    there = connection.execute("SELECT to_regclass('mashup_worker.migrations') AS found").fetchone()
    if there is None or there["found"] is None:
        return {}
    rows = connection.execute("SELECT name, sha256 FROM mashup_worker.migrations").fetchall()
    return {row["name"]: row["sha256"] for row in rows}


def _apply(database_url: str, migration: Migration) -> bool:
    """Apply one, unless it was; whether it was done now."""
    try:
        with psycopg.connect(
            database_url, **{**connection_options(), "row_factory": dict_row}
        ) as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            if migration.name in _applied(connection):
                return False
            connection.execute("SET LOCAL client_min_messages = warning")
            # Functions that don't fit the backend's tables are replaced by its operator, and named
            # before any job runs; they must not keep the rest from being made.
            connection.execute("SET LOCAL check_function_bodies = off")
            connection.execute(migration.sql.encode())
            connection.execute(
                "CREATE TABLE IF NOT EXISTS mashup_worker.migrations (name TEXT PRIMARY KEY, "
                "sha256 TEXT NOT NULL, applied_at TIMESTAMPTZ NOT NULL DEFAULT now())"
            )
            connection.execute("GRANT SELECT ON mashup_worker.migrations TO mashup_worker")
            connection.execute(
                "INSERT INTO mashup_worker.migrations (name, sha256) VALUES (%s, %s)",
                [migration.name, migration.sha256],
            )
    except psycopg.OperationalError as error:
        raise ServiceUnavailable(
            f"Postgres at {place(database_url)} can't be used: {reason_of(error)}"
        ) from error
    except psycopg.Error as error:
        raise ServiceUnavailable(f"migration {migration.name}: {reason_of(error)}") from error
    return True
