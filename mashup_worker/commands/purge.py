"""`mashup purge`: takes down a song, or everything of a user."""

from __future__ import annotations

import json
import re
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mashup_worker.commands.shared.failure import fail, service_settings_or_fail
from mashup_worker.commands.shared.options import AsJson, DryRun
from mashup_worker.commands.shared.services import jobs_database, uuid_of

if TYPE_CHECKING:
    from mashup_worker.worker.purge import Purge, PurgeResult, SongTarget, UserTarget

_SHA256 = re.compile(r"[0-9a-f]{64}")


def purge(
    song: Annotated[
        str | None,
        typer.Option(
            help="File of a song, or its SHA-256: removes all results derived from it, and its "
            "uploads."
        ),
    ] = None,
    user: Annotated[
        str | None, typer.Option(help="Id of a user: removes all their jobs, results and uploads.")
    ] = None,
    dry_run: DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove without confirmation.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove a song, or everything of a user, permanently.

    Removes objects, rows and cached results. Needs the database as the owner of the tables or
    the service role. Prints the removed items and the mashups that lost stems. The backend must
    take down its publications of those mashups.
    """
    import redis

    from mashup_worker.queue.redis_client import open_redis, redis_unavailable
    from mashup_worker.storage.objects import open_storage
    from mashup_worker.worker.purge import Purge

    target = _target(song, user)
    settings = service_settings_or_fail()
    storage = open_storage(settings.storage)
    client = open_redis(settings) if settings.connections.redis_url else nullcontext()
    with jobs_database() as database, client as connection:
        tool = Purge(database=database, storage=storage, redis=connection, settings=settings)
        if not (dry_run or yes):
            _confirm(tool, target)
        try:
            result = tool.run(target, dry_run=dry_run)
        except redis.RedisError as error:
            raise redis_unavailable(settings, error) from error
    _print(result, dry_run=dry_run, as_json=as_json)


def _target(song: str | None, user: str | None) -> SongTarget | UserTarget:
    from mashup_worker.system.digests import file_sha256
    from mashup_worker.worker.purge import SongTarget, UserTarget

    if user is not None and song is None:
        return UserTarget(uuid_of(user, "--user"))
    if song is None or user is not None:
        fail("purge: give either --song or --user")
    if _SHA256.fullmatch(song.lower()):
        return SongTarget(song.lower())
    if not Path(song).is_file():
        fail(f"--song {song}: neither a file nor a SHA-256 of 64 digits")
    return SongTarget(file_sha256(Path(song)))


def _confirm(tool: Purge, target: SongTarget | UserTarget) -> None:
    if not sys.stdin.isatty():
        fail("purge: no terminal for the question; give --yes")
    found = tool.run(target, dry_run=True)
    question = f"Remove {len(found.jobs)} jobs and {len(found.keys)} objects permanently?"
    typer.confirm(question, abort=True, err=True)


def _print(result: PurgeResult, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        document = {
            "jobs": [str(job_id) for job_id in result.jobs],
            "keys": list(result.keys),
            "mashups": [str(mashup) for mashup in result.mashups],
            "dry_run": dry_run,
        }
        typer.echo(json.dumps(document))
        return
    for job_id in result.jobs:
        typer.echo(f"job {job_id}")
    for key in result.keys:
        typer.echo(key)
    for mashup in result.mashups:
        typer.echo(f"mashup {mashup} lost stems")
    verb = "would be removed" if dry_run else "removed"
    typer.echo(f"{len(result.jobs)} jobs and {len(result.keys)} objects {verb}", err=True)
