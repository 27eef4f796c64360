"""SQL kept in files, statement by statement under a name.

A statement begins with a line `-- name: <name>` and lasts until the next one; comments directly
below its name belong to it.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def statements(file: str) -> Mapping[str, bytes]:
    """Statements of `sql/<file>.sql` by name; as bytes, which is how psycopg takes plain SQL."""
    text = files("mashup_worker.db").joinpath("sql", f"{file}.sql").read_text(encoding="utf-8")
    _, *parts = _NAME.split(text)
    return {name: body.strip().encode() for name, body in zip(parts[::2], parts[1::2], strict=True)}
