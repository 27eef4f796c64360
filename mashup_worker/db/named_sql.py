"""Named SQL statements in files.

A line `-- name: <name>` starts a statement, which ends before the next such line. Comments below
the name belong to the statement.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mashup_worker.db.database import Connection

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def statements(file: str) -> Mapping[str, bytes]:
    """Return the statements of `sql/<file>.sql` by name, as the bytes that psycopg executes."""
    text = files("mashup_worker.db").joinpath("sql", f"{file}.sql").read_text(encoding="utf-8")
    _, *parts = _NAME.split(text)
    return {name: body.strip().encode() for name, body in zip(parts[::2], parts[1::2], strict=True)}


def select(connection: Connection, statement: str, /, **parameters: Any) -> list[dict[str, Any]]:
    """Execute the statement `<file>.<name>` and return its rows."""
    file, _, name = statement.partition(".")
    return connection.execute(statements(file)[name], parameters).fetchall()
