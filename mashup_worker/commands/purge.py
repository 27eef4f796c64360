"""`mashup purge`: takes down a song or all that is a user's."""

from __future__ import annotations

import json
import re
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mashup_worker.commands.services import jobs_database, uuid_of
from mashup_worker.commands.shared.failure import fail, service_settings_or_fail
from mashup_worker.errors import EXIT_USAGE

if TYPE_CHECKING:
    from mashup_worker.worker.purge import Purged, SongTarget, UserTarget

_SHA256 = re.compile(r"[0-9a-f]{64}")


def purge(
    song: Annotated[
        str | None,
        typer.Option(
            help="A song, by the SHA-256 of its file or as the file itself: what was read from "
            "it, and everything that was made of that."
        ),
    ] = None,
    user: Annotated[
        str | None, typer.Option(help="A user, by id: all jobs, results and uploads of theirs.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be removed.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")
    ] = False,
) -> None:
    """Remove objects, rows and cached results of a song or a user, for good.

    Needs the database as the tables' owner or the service role. Prints what is gone, and the
    mashups that lost stems: what the backend made public of them is for the backend to take down.
    """
    import redis

    from mashup_worker.errors import ServiceUnavailable
    from mashup_worker.queue.redis_client import place
    from mashup_worker.storage.open import open_storage
    from mashup_worker.worker.open_tools import open_redis
    from mashup_worker.worker.purge import Purge

    target = _target(song, user)
    settings = service_settings_or_fail()
    storage = open_storage(settings.storage)
    client = open_redis(settings) if settings.connections.redis_url else nullcontext()
    with jobs_database() as database, client as connection:
        tool = Purge(database, storage, connection, settings)
        if not (dry_run or yes):
            if not sys.stdin.isatty():
                fail("give --yes where nobody can be asked", EXIT_USAGE)
            would = tool.run(target, dry_run=True)
            typer.confirm(
                f"Remove {len(would.jobs)} jobs and {len(would.keys)} objects for good?",
                abort=True,
                err=True,
            )
        try:
            done = tool.run(target, dry_run=dry_run)
        except redis.RedisError as error:
            url = (
                settings.connections.redis_url.get_secret_value()
                if settings.connections.redis_url
                else ""
            )
            raise ServiceUnavailable(f"Redis at {place(url)}: {error}") from error
    _print(done, dry_run=dry_run, as_json=as_json)


def _target(song: str | None, user: str | None) -> SongTarget | UserTarget:
    from mashup_worker.system.digests import file_sha256
    from mashup_worker.worker.purge import SongTarget, UserTarget

    if (song is None) == (user is None):
        fail("give either --song or --user", EXIT_USAGE)
    if user is not None:
        return UserTarget(uuid_of(user, "--user"))
    assert song is not None, "one of both is given"  # noqa: S101
    if _SHA256.fullmatch(song.lower()):
        return SongTarget(song.lower())
    if not Path(song).is_file():
        fail(f"--song {song}: neither a SHA-256 of 64 digits nor a file", EXIT_USAGE)
    return SongTarget(file_sha256(Path(song)))


def _print(done: Purged, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        document = {
            "jobs": [str(job_id) for job_id in done.jobs],
            "keys": list(done.keys),
            "mashups": [str(mashup) for mashup in done.mashups],
            "dry_run": dry_run,
        }
        typer.echo(json.dumps(document))
        return
    for job_id in done.jobs:
        typer.echo(f"job {job_id}")
    for key in done.keys:
        typer.echo(key)
    for mashup in done.mashups:
        typer.echo(f"mashup {mashup} lost stems")
    what = "would be removed" if dry_run else "removed"
    typer.echo(f"{len(done.jobs)} jobs and {len(done.keys)} objects {what}", err=True)
