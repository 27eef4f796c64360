"""`mashup schema`: prints the contracts of jobs."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from mashup_worker.commands.shared.failure import fail
from mashup_worker.errors import EXIT_USAGE


def schema(job_type: Annotated[str | None, typer.Argument(help="Job type. [all]")] = None) -> None:
    """Print the JSON Schema of input_data and output_data."""
    from mashup_worker.queue.validation import schemas

    found = schemas()
    if job_type is not None and job_type not in found:
        fail(f"job type {job_type!r}: unknown; use one of {', '.join(found)}", EXIT_USAGE)
    typer.echo(json.dumps(found if job_type is None else found[job_type], indent=2))
