"""Validation of jobs against their contracts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from mashup_worker.db.database import UnreadableJson
from mashup_worker.errors import InvalidInput
from mashup_worker.queue.contracts import CONTRACTS
from mashup_worker.vocabulary import JOB_TYPES

if TYPE_CHECKING:
    from mashup_worker.queue.job_inputs import JobInput


def read_input(job_type: str, document: object) -> tuple[JobInput, tuple[str, ...]]:
    """Return a job's input, and warnings about unknown keys.

    Raises:
        InvalidInput: the job type is unknown, or a value is invalid; the message names the field.
    """
    contract = CONTRACTS.get(job_type)  # type: ignore[call-overload]
    if contract is None:
        raise unknown_job_type(job_type)
    if not isinstance(document, dict):
        reason = f": {document.reason}" if isinstance(document, UnreadableJson) else ""
        raise InvalidInput(f"input_data: not a JSON object{reason}")
    try:
        # From JSON, so that lists become tuples and strings become ids, but "12" is no number.
        request: JobInput = contract.input.model_validate_json(json.dumps(document))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(["input_data", *(str(step) for step in first["loc"])])
        raise InvalidInput(f"{field}: {first['msg'].removeprefix('Value error, ')}") from error
    unknown = _unknown_keys(document, request)
    return request, tuple(f"input_data.{key}: unknown key, ignored" for key in unknown)


def unknown_job_type(job_type: str) -> InvalidInput:
    """Return the error for a job type without a contract."""
    return InvalidInput(f"job_type {job_type!r}: unknown; use one of {', '.join(JOB_TYPES)}")


def _unknown_keys(document: dict[str, Any], model: BaseModel, prefix: str = "") -> list[str]:
    """Return the paths of keys in a document that its contract lacks."""
    found = []
    for key, value in document.items():
        if key not in type(model).model_fields:
            found.append(prefix + key)
            continue
        known = getattr(model, key)
        if isinstance(known, BaseModel) and isinstance(value, dict):
            found += _unknown_keys(value, known, f"{prefix}{key}.")
        elif isinstance(known, tuple) and isinstance(value, list):
            for index, (one, part) in enumerate(zip(value, known, strict=True)):
                if isinstance(part, BaseModel) and isinstance(one, dict):
                    found += _unknown_keys(one, part, f"{prefix}{key}.{index}.")
    return found


def schemas() -> dict[str, Any]:
    """Return the JSON Schema of every job's input and output."""
    return {
        job_type: {
            "input_data": contract.input.model_json_schema(),
            "output_data": contract.output.model_json_schema(),
        }
        for job_type, contract in CONTRACTS.items()
    }
