"""Whether the live schema does what a job needs, found out by doing it and taking it back."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
from psycopg.types.json import Jsonb

from mashup_worker.db import jobs
from mashup_worker.db.database import reason_of
from mashup_worker.db.migrate import edited, pending
from mashup_worker.db.publishing import named_keys, owns_mashup, publish, readable_stem
from mashup_worker.errors import MashupError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mashup_worker.db.database import Connection, Database

_WRITTEN = {
    "stems": "user_id mashup_id job_id kind storage_key sha256 duration_s loudness_lufs tempo_bpm "
    "musical_key",
    "mashup_stems": "mashup_id stem_id kind storage_key peaks_key",
    "stem_mashup_links": "stem_id mashup_id",
    "stem_usage_log": "stem_id mashup_id user_id job_id",
}
"""Columns that our own publishing functions fill, by table."""

_REQUIRED_COLUMNS = b"""
SELECT attname AS name FROM pg_catalog.pg_attribute AS a
WHERE a.attrelid = to_regclass('public.' || %(table)s) AND a.attnum > 0 AND a.attnotnull
  AND NOT a.attisdropped AND NOT a.atthasdef AND a.attidentity = ''
"""

_OWN_FUNCTIONS = b"""
SELECT prosrc LIKE '%%INSERT INTO public.stems%%' AS own FROM pg_catalog.pg_proc
WHERE oid = to_regproc('mashup_worker.publish_stems')
"""


class _TakeBackError(Exception):
    """Ends the probe's transaction."""


def faults(database: Database, *, publishing: bool = True) -> list[str]:
    """What is wrong with the schema for the role that is connected; empty when all is well.

    Args:
        database: as the worker sees it.
        publishing: whether the backend's tables are written too.

    Raises:
        ServiceUnavailable: the database can't be reached.
    """
    with database.transaction() as connection:
        missing = pending(connection)
        if missing:
            return [f"migration {name} is missing: run `mashup migrate`" for name in missing]
        found = [f"migration {name} was applied with another text" for name in edited(connection)]
    steps: dict[str, Callable[[Connection], None]] = {"the status of a job": _run_a_job}
    if publishing:
        steps |= {
            "publishing stems": lambda c: publish(c, "separate", uuid4()),
            "publishing a mashup": lambda c: publish(c, "mashup", uuid4()),
            "ownership of mashups": lambda c: _ignore(owns_mashup(c, uuid4(), uuid4())),
            "stems of the registry": lambda c: _ignore(readable_stem(c, uuid4(), uuid4())),
            "keys that rows name": lambda c: _ignore(named_keys(c, ["probes/none"])),
        }
    for what, step in steps.items():
        reason = _refusal(database, step)
        if reason:
            found.append(f"{what}: {reason}")
    if publishing:
        found += _columns_left_empty(database)
    return found


def _refusal(database: Database, step: Callable[[Connection], None]) -> str | None:
    try:
        with database.transaction() as connection:
            step(connection)
            raise _TakeBackError
    except _TakeBackError:
        return None
    except psycopg.OperationalError:
        raise
    except (psycopg.Error, MashupError) as error:
        return reason_of(error)


def _run_a_job(connection: Connection) -> None:
    job = jobs.insert(connection, "separate", {})
    claim = jobs.Claim(job.id, 1, "probe")
    claimed = jobs.move(
        connection, "claim", id=job.id, worker_id="probe", lease_s=60, job_types=["separate"]
    )
    if claimed is None:
        # Row-level security without a policy changes no rows, and raises nothing.
        raise MashupError("this role may not update ai_jobs: it needs a policy")
    jobs.heartbeat(connection, claim, 60, 1, "probe")
    done = jobs.move(connection, "complete", **claim.fence, output=Jsonb({}), result_digest=None)
    if done is None or done.completed_at is None:
        raise MashupError("a job could not be completed: the trigger ai_jobs_guard is missing")


def _columns_left_empty(database: Database) -> list[str]:
    """Columns of the live tables that need a value which our functions don't give."""
    found = []
    with database.transaction() as connection:
        own = connection.execute(_OWN_FUNCTIONS).fetchone()
        if own is None or not own["own"]:
            return []
        for table, written in _WRITTEN.items():
            rows = connection.execute(_REQUIRED_COLUMNS, {"table": table}).fetchall()
            needed = {row["name"] for row in rows} - set(written.split())
            found += [
                f"{table}.{column} needs a value: replace the function mashup_worker.publish_"
                f"{'stems' if table in ('stems', 'mashup_stems') else 'mashup'}"
                for column in sorted(needed)
            ]
    return found


def _ignore(_value: object) -> None:
    """For calls that are made for their errors alone."""
