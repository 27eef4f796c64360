"""What commands share that talk to the database, the queue and the store."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

from mashup_worker.errors import InvalidInput, ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mashup_worker.db.database import Database


@contextmanager
def jobs_database() -> Iterator[Database]:
    """The database of the settings; what it refuses becomes an error with one line.

    Raises:
        InvalidInput: the settings name none, or can't be used.
        ServiceUnavailable: it can't be reached, or refuses.
    """
    import psycopg

    from mashup_worker.db.database import place, reason_of
    from mashup_worker.service_settings import load_service_settings
    from mashup_worker.worker.open_tools import open_database

    with open_database(load_service_settings()) as database:
        try:
            yield database
        except psycopg.Error as error:
            raise ServiceUnavailable(
                f"Postgres at {place(database.url)}: {reason_of(error)}"
            ) from error


def uuid_of(text: str, name: str) -> UUID:
    """An id as the command line gives it.

    Raises:
        InvalidInput: it is none; names `name`.
    """
    try:
        return UUID(text)
    except ValueError:
        raise InvalidInput(f"{name} {text!r}: not a UUID") from None
