"""Documents of measurements: read, write and merge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from mashup_worker.bench.results import SCHEMA, Results
from mashup_worker.errors import InvalidInput
from mashup_worker.system.files import check_writable, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from mashup_worker.bench.machine import Machine

_ADAPTER = TypeAdapter(Results)
_ANY = TypeAdapter(dict[str, object])


def to_json(results: Results) -> str:
    """Return the document as indented JSON."""
    return _ADAPTER.dump_json(results, indent=1).decode() + "\n"


def from_json(text: str | bytes) -> Results:
    """Parse a document.

    Raises:
        InvalidInput: it is not a document of `mashup bench`, or has another schema.
    """
    try:
        schema = _ANY.validate_json(text).get("schema")
    except ValidationError:
        raise InvalidInput("not results of `mashup bench`: no JSON object") from None
    if schema != SCHEMA:
        raise InvalidInput(f"results of schema {schema}; this version reads {SCHEMA}")
    try:
        return _ADAPTER.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(f"not results of `mashup bench`: {place}: {first['msg']}") from error


def read(path: Path) -> Results | None:
    """Return the document at `path`; None if the file is missing.

    Raises:
        InvalidInput: the file is unreadable or not a document.
    """
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror or error}") from error
    try:
        return from_json(text)
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error.message}") from error


def check_savable(machine: Machine, folder: Path) -> None:
    """Check before the work that its results can be saved. Raises as `save`."""
    path = path_of(machine, folder)
    read(path)
    check_writable(path)


def path_of(machine: Machine, folder: Path) -> Path:
    """Return the path of the machine's document in a folder."""
    return folder / f"{machine.slug}.json"


def save(results: Results, folder: Path) -> tuple[Results, Path]:
    """Write the device's document into `folder`, keeping the sections that were not measured.

    Raises:
        InvalidInput: the existing file is not such a document.
        StorageFailed: the file cannot be written.
    """
    path = path_of(results.machine, folder)
    whole = results.over(read(path))
    write_atomically(path, to_json(whole).encode())
    return whole, path
