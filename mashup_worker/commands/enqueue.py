"""`mashup enqueue`: puts a job into the queue, as a backend would."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mashup_worker.commands.services import jobs_database, uuid_of
from mashup_worker.commands.shared.failure import service_settings_or_fail
from mashup_worker.errors import EXIT_FAILED, InvalidInput

if TYPE_CHECKING:
    from uuid import UUID

_OPERATOR = "operator"


def enqueue(
    job_type: Annotated[str, typer.Argument(help="separate, analyze, mashup or master.")],
    given: Annotated[
        str,
        typer.Option(
            "--input",
            help="The job's input_data: JSON, a .json file, or an audio file. Local audio files "
            "that it names are uploaded first.",
        ),
    ],
    user: Annotated[
        str | None, typer.Option(help="The user whose job it is; nobody's when absent.")
    ] = None,
    priority: Annotated[int, typer.Option(help="Higher starts earlier.")] = 0,
    idempotency_key: Annotated[
        str | None, typer.Option(help="A second job of this user with this word is refused.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Follow the job until it ends; 1 unless it completed.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the job as JSON on stdout and nothing else.")
    ] = False,
) -> None:
    """Put a job into the queue; prints its id."""
    import psycopg

    from mashup_worker.commands.job_view import document_of, follow, print_job
    from mashup_worker.db import jobs
    from mashup_worker.queue.contracts import read_input

    user_id = None if user is None else uuid_of(user, "--user")
    document = _with_uploads(_document(given), user_id)
    _, warnings = read_input(job_type, document)
    for warning in warnings:
        typer.echo(f"mashup: {warning}", err=True)
    with jobs_database() as database:
        try:
            with database.transaction() as connection:
                job = jobs.insert(
                    connection,
                    job_type,
                    document,
                    user_id=user_id,
                    priority=priority,
                    idempotency_key=idempotency_key,
                )
        except psycopg.errors.UniqueViolation:
            raise InvalidInput(
                f"--idempotency-key {idempotency_key}: there is such a job"
            ) from None
        except psycopg.errors.ForeignKeyViolation:
            raise InvalidInput(f"--user {user}: there is no such profile") from None
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


def _document(given: str) -> Any:
    """The input as JSON says it, or `{"audio": FILE}` for an audio file."""
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
            reason = getattr(error, "strerror", None) or "not a text in UTF-8"
            raise InvalidInput(f"--input {given}: {reason}") from error
    try:
        document = json.loads(text, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"--input: not JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidInput("--input: it must be an object")
    return document


def _with_uploads(document: dict[str, Any], user_id: UUID | None) -> dict[str, Any]:
    """The input with local files replaced by the keys that they were uploaded under."""
    new = dict(document)
    stems = document.get("stems")
    if isinstance(document.get("audio"), str):
        new["audio"] = _uploaded(document["audio"], user_id)
    if isinstance(stems, dict):
        new["stems"] = {kind: _uploaded(address, user_id) for kind, address in stems.items()}
    elif isinstance(stems, list):
        new["stems"] = [
            {**one, "audio": _uploaded(one["audio"], user_id)}
            if isinstance(one, dict) and isinstance(one.get("audio"), str)
            else one
            for one in stems
        ]
    return new


def _uploaded(address: Any, user_id: UUID | None) -> Any:
    from mashup_worker.storage.objects import media_type
    from mashup_worker.storage.open import open_storage
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


def _refused(word: str) -> float:
    raise ValueError(f"{word} is no number of JSON")
