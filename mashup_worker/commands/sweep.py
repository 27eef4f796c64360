"""`mashup sweep`: removes results that no row names."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from mashup_worker.commands.services import jobs_database
from mashup_worker.commands.shared.failure import service_settings_or_fail


def sweep(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be removed.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")
    ] = False,
) -> None:
    """Remove objects below jobs/ that no row names and that are older than the grace.

    The mirror does so every hour. The grace is MASHUP_ORPHAN_GRACE_S, a day unless set.
    """
    from mashup_worker.worker.orphans import sweep_results

    with jobs_database() as database:
        done = sweep_results(database, service_settings_or_fail(), dry_run=dry_run)
    if as_json:
        document = {
            "removed": list(done.removed),
            "kept": done.kept,
            "bytes_removed": done.bytes_removed,
            "dry_run": dry_run,
        }
        typer.echo(json.dumps(document))
        return
    for key in done.removed:
        typer.echo(key)
    what = "would be removed" if dry_run else "removed"
    typer.echo(f"{len(done.removed)} {what}, {done.kept} kept", err=True)
