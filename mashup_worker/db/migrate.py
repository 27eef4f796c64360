"""Numbered migrations, each applied once in its own transaction."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

import psycopg

from mashup_worker.db.database import connection_options, location, reason_of
from mashup_worker.errors import ServiceUnavailable

if TYPE_CHECKING:
    from mashup_worker.db.database import Connection

_LOCK = 0x6D617368
"""Key of the advisory lock that serializes the migrations of several processes."""


@dataclass(frozen=True)
class Migration:
    """One step of the schema, named by its file, which starts with the number."""

    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Digest of the statements, which reveals edited files."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> tuple[Migration, ...]:
    """Return all migrations in order."""
    folder = files("mashup_worker.db").joinpath("migrations")
    return tuple(
        Migration(file.name.removesuffix(".sql"), file.read_text(encoding="utf-8"))
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".sql")
    )


def migrate(database_url: str) -> list[str]:
    """Apply all missing migrations as the owner of the tables; return their names.

    Raises:
        ServiceUnavailable: the database is unreachable or refuses a statement. The failed migration
            is rolled back; earlier ones stay applied.
    """
    return [one.name for one in migrations() if _apply(database_url, one)]


def pending(connection: Connection) -> list[str]:
    """Return the names of migrations that are not applied."""
    done = _applied(connection)
    return [migration.name for migration in migrations() if migration.name not in done]


def edited(connection: Connection) -> list[str]:
    """Return the names of migrations whose text has changed since they were applied."""
    done = _applied(connection)
    return [one.name for one in migrations() if done.get(one.name, one.sha256) != one.sha256]


def _applied(connection: Connection) -> dict[str, str]:
    table = connection.execute("SELECT to_regclass('mashup_worker.migrations') AS name").fetchone()
    if table is None or table["name"] is None:
        return {}
    rows = connection.execute("SELECT name, sha256 FROM mashup_worker.migrations").fetchall()
    return {row["name"]: row["sha256"] for row in rows}


def _apply(database_url: str, migration: Migration) -> bool:
    """Apply a migration unless it is applied already; return whether it was applied now."""
    try:
        with psycopg.connect(database_url, **connection_options()) as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            if migration.name in _applied(connection):
                return False
            connection.execute("SET LOCAL client_min_messages = warning")
            # Creates functions that do not fit the backend's tables too. The schema check reports
            # them before a job runs, and the operator replaces them.
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
            f"Postgres at {location(database_url)}: {reason_of(error)}"
        ) from error
    except psycopg.Error as error:
        raise ServiceUnavailable(f"migration {migration.name}: {reason_of(error)}") from error
    return True
