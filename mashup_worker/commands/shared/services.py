"""Access of commands to the database, and parsing of ids."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

from mashup_worker.commands.shared.failure import fail, service_settings_or_fail, usage_errors
from mashup_worker.errors import InvalidInput, ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mashup_worker.db.database import Database


@contextmanager
def jobs_database() -> Iterator[Database]:
    """Yield the database of the settings; its errors become errors of one line.

    Raises:
        InvalidInput: the database refuses a value.
        ServiceUnavailable: the database is unreachable or refuses a statement.
    """
    import psycopg

    from mashup_worker.db.database import location, open_database, reason_of

    with usage_errors():
        opened = open_database(service_settings_or_fail())
    with opened as database:
        try:
            yield database
        except psycopg.DataError as error:
            raise InvalidInput(reason_of(error)) from error
        except psycopg.Error as error:
            raise ServiceUnavailable(
                f"Postgres at {location(database.url)}: {reason_of(error)}"
            ) from error


def uuid_of(text: str, name: str) -> UUID:
    """Return an id from the command line; end the command with a usage error for other text."""
    try:
        return UUID(text)
    except ValueError:
        fail(f"{name} {text!r}: not a UUID")
