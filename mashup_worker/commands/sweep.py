"""`mashup sweep`: removes results that no row references."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from mashup_worker.commands.shared.failure import service_settings_or_fail
from mashup_worker.commands.shared.services import jobs_database


def sweep(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the objects without removing them.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print only one JSON document on stdout.")
    ] = False,
) -> None:
    """Remove objects below jobs/ that no row references.

    Objects younger than MASHUP_ORPHAN_GRACE_S, one day by default, are kept. The mirror sweeps once
    per hour.
    """
    from mashup_worker.worker.orphans import sweep_results

    with jobs_database() as database:
        swept = sweep_results(database, service_settings_or_fail(), dry_run=dry_run)
    if as_json:
        document = {
            "removed": list(swept.removed),
            "kept": swept.kept,
            "bytes_removed": swept.bytes_removed,
            "dry_run": dry_run,
        }
        typer.echo(json.dumps(document))
        return
    for key in swept.removed:
        typer.echo(key)
    verb = "would be removed" if dry_run else "removed"
    typer.echo(f"{len(swept.removed)} {verb}, {swept.kept} kept", err=True)
