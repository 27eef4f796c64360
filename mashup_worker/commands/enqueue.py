"""`mashup enqueue`: inserts a job, as a backend does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mashup_worker.commands.shared.failure import service_settings_or_fail
from mashup_worker.commands.shared.options import AsJson
from mashup_worker.commands.shared.services import jobs_database, uuid_of
from mashup_worker.errors import EXIT_FAILED, InvalidInput
from mashup_worker.licenses import check_known_model
from mashup_worker.vocabulary import JOB_TYPES

if TYPE_CHECKING:
    from uuid import UUID

    from mashup_worker.db.jobs import Job

_OPERATOR = "operator"


def enqueue(
    job_type: Annotated[str, typer.Argument(help=f"Job type: {', '.join(JOB_TYPES)}.")],
    given: Annotated[
        str,
        typer.Option(
            "--input",
            help="The job's input_data: JSON, a .json file, or an audio file. Local audio files "
            "are uploaded first.",
        ),
    ],
    user: Annotated[str | None, typer.Option(help="Id of the job's user. [none]")] = None,
    priority: Annotated[int, typer.Option(help="Priority; higher starts first.")] = 0,
    idempotency_key: Annotated[
        str | None, typer.Option(help="Key that refuses a second job of the same user.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the job; exit with 1 unless it completes.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Insert a job and print its id."""
    from mashup_worker.commands.shared.job_view import document_of, follow, print_job
    from mashup_worker.queue.validation import read_input

    user_id = None if user is None else uuid_of(user, "--user")
    document = _with_uploads(_document(given), user_id)
    request, warnings = read_input(job_type, document)
    rule = service_settings_or_fail().worker.license_rule
    check_known_model(getattr(request, "model", None), rule)
    for warning in warnings:
        typer.echo(f"mashup: {warning}", err=True)
    with jobs_database() as database:
        with database.transaction() as connection:
            job = _inserted(
                connection,
                job_type,
                document,
                user_id=user_id,
                priority=priority,
                idempotency_key=idempotency_key,
            )
        if wait:
            job = follow(database, job.id, quiet=as_json)
    if as_json:
        typer.echo(json.dumps(document_of(job)))
    elif wait:
        print_job(job)
    else:
        typer.echo(str(job.id))
    if wait and job.status != "completed":
        raise typer.Exit(EXIT_FAILED)


def _inserted(connection: Any, job_type: str, document: dict[str, Any], **columns: Any) -> Job:
    """Insert the job.

    Raises:
        InvalidInput: the idempotency key is taken, or the user does not exist.
    """
    import psycopg

    from mashup_worker.db import jobs

    try:
        return jobs.insert(connection, job_type, document, **columns)
    except psycopg.errors.UniqueViolation:
        key = columns["idempotency_key"]
        raise InvalidInput(f"--idempotency-key {key}: a job with this key exists") from None
    except psycopg.errors.ForeignKeyViolation:
        raise InvalidInput(f"--user {columns['user_id']}: no such profile") from None


def _document(given: str) -> Any:
    """Return the input: JSON, or `{"audio": FILE}` for an audio file."""
    text = given
    if not given.lstrip().startswith("{"):
        path = Path(given)
        if not _is_file(given):
            raise InvalidInput(f"--input {given}: neither JSON nor a file")
        if path.suffix.lower() != ".json":
            return {"audio": given}
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8 text"
            raise InvalidInput(f"--input {given}: {reason}") from error
    try:
        document = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"--input: not JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidInput("--input: not a JSON object")
    return document


def _with_uploads(document: dict[str, Any], user_id: UUID | None) -> dict[str, Any]:
    """Upload the local files in an input; return the input with their keys."""
    new = dict(document)
    stems = document.get("stems")
    if isinstance(document.get("audio"), str):
        new["audio"] = _uploaded(document["audio"], user_id)
    if isinstance(stems, dict):
        new["stems"] = {kind: _uploaded(address, user_id) for kind, address in stems.items()}
    elif isinstance(stems, list):
        new["stems"] = [
            {**stem, "audio": _uploaded(stem["audio"], user_id)}
            if isinstance(stem, dict) and isinstance(stem.get("audio"), str)
            else stem
            for stem in stems
        ]
    return new


def _uploaded(address: Any, user_id: UUID | None) -> Any:
    from mashup_worker.storage.objects import media_type, open_storage
    from mashup_worker.system.digests import file_sha256

    if not isinstance(address, str) or "://" in address or not _is_file(address):
        return address
    path = Path(address)
    storage = open_storage(service_settings_or_fail().storage)
    sha256 = file_sha256(path)
    key = f"inputs/{user_id or _OPERATOR}/{sha256}{path.suffix.lower()}"
    if storage.head(key) is None:
        storage.put(key, path, content_type=media_type(path), sha256=sha256)
    return key


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long, or with a null byte
        return False


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")
