"""Reuse of results: a job that repeats an earlier one copies its results."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from mashup_worker import __version__
from mashup_worker.db import jobs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from mashup_worker.db.database import Database
    from mashup_worker.worker.uploads import Uploads


def result_digest(
    job_type: str,
    *,
    settings: Mapping[str, Any],
    facts: Mapping[str, Any],
    sha256s: Mapping[str, str],
) -> str:
    """Return a digest of everything that determines a result.

    Args:
        job_type: type of the job.
        settings: settings of the handler.
        facts: facts of the sources.
        sha256s: digests of the source files by name.
    """
    parts = {
        "version": __version__,
        "job_type": job_type,
        "settings": dict(settings),
        "sources": dict(sha256s),
        "facts": dict(facts),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def reused_output(
    database: Database, uploads: Uploads, *, digest: str, user_id: UUID | None
) -> dict[str, Any] | None:
    """Copy the files of an earlier job of the user with the same digest; return its output."""
    with database.transaction() as connection:
        rows = jobs.select(connection, "with_result", result_digest=digest, user_id=user_id)
    for earlier in jobs.from_rows(rows):
        output = uploads.copy_results(earlier.output_data)
        if output is not None:
            return {**output, "reused_job_id": str(earlier.id)}
    return None
