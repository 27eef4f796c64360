"""Documents of measurements: read, written, and joined with what was measured before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from mashup_worker.bench.results import SCHEMA, Results
from mashup_worker.errors import InvalidInput
from mashup_worker.system.files import check_writable, write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from mashup_worker.bench.machine import Machine

_ADAPTER = TypeAdapter(Results)
_ANY = TypeAdapter(dict[str, object])


def to_json(results: Results) -> str:
    """The document, indented."""
    return _ADAPTER.dump_json(results, indent=1).decode() + "\n"


def from_json(text: str | bytes) -> Results:
    """Read a document.

    Raises:
        InvalidInput: it is none of ours, or of another schema.
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
    """The document at `path`; None where there is none.

    Raises:
        InvalidInput: what is there can't be read.
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
    """Find out before the work whether its results could be saved. Raises as `save`."""
    path = path_of(machine, folder)
    read(path)
    check_writable(path)


def path_of(machine: Machine, folder: Path) -> Path:
    """Return where a folder holds the machine's document."""
    return folder / f"{machine.slug}.json"


def save(results: Results, folder: Path) -> tuple[Results, Path]:
    """Write the device's document into `folder`, with the sections it had before and these lack.

    Raises:
        InvalidInput: what is there is no such document.
        StorageFailed: it can't be written.
    """
    path = path_of(results.machine, folder)
    whole = results.over(read(path))
    write_whole(path, to_json(whole).encode())
    return whole, path
