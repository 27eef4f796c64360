"""Plans as JSON documents that people read and edit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pydantic import ValidationError

from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LINE_LENGTH = 100


def load_plan(path: Path) -> Plan:
    """Read a plan from a file.

    Raises:
        InvalidInput: the file is missing, is no JSON, or has an invalid value.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path}: no text in UTF-8") from error
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(
            f"{path}: invalid JSON in line {error.lineno}, column {error.colno}: {error.msg}"
        ) from error
    except (RecursionError, UnicodeError) as error:
        raise InvalidInput(f"{path}: not a plan") from error
    except ValueError as error:
        raise InvalidInput(f"{path}: a number has too many digits") from error
    return parse_plan(document, str(path))


def parse_plan(document: object, name: str = "plan") -> Plan:
    """Validate the JSON values of a plan.

    Raises:
        InvalidInput: a value is invalid; the message names the document and the field.
    """
    if not isinstance(document, dict):
        raise InvalidInput(f"{name}: not a plan; a plan is a JSON object")
    try:
        # Strict validation accepts lists as tuples in JSON only.
        return Plan.model_validate_json(json.dumps(document), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(step) for step in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        raise InvalidInput(f"{name}: {field + ': ' if field else ''}{reason}") from error


def format_plan(plan: Plan) -> str:
    """Return a plan as JSON text with short values on one line."""
    return _format(plan.as_dict()) + "\n"


def _format(value: object, indent: str = "") -> str:
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + len(indent) <= _LINE_LENGTH or not isinstance(value, dict | list):
        return flat
    inner = indent + "  "
    if isinstance(value, list):
        if all(isinstance(one, int | float) for one in value):
            return flat
        rows = [inner + _format(one, inner) for one in value]
        return "[\n" + ",\n".join(rows) + f"\n{indent}]"
    entries: Mapping[str, object] = value
    rows = [f"{inner}{json.dumps(key)}: {_format(one, inner)}" for key, one in entries.items()]
    return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
