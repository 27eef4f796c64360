"""Whether the live schema does what a job needs, found out by doing it and taking it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb

from mashup_worker.db import jobs
from mashup_worker.db.database import reason_of
from mashup_worker.db.migrate import edited, pending
from mashup_worker.db.publishing import named_keys, owns_mashup, publish, readable_stem
from mashup_worker.db.tiers import likely_over_quota, open_by_tier, reject_over_quota, tier_of
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
    steps: dict[str, Callable[[Connection], None]] = {
        "the status of a job": _run_jobs,
        "tiers": _ask_tiers,
    }
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


def _run_jobs(connection: Connection) -> None:
    """Take jobs through every move there is."""
    told = {"code": "probe", "message": "probe"}
    job, claim = _claimed(connection)
    jobs.heartbeat(connection, claim, 60, 1, "probe")
    _moved(connection, "retry", **claim.fence, **told, delay_s=0)
    _moved(connection, "hand_back", **_claim_again(connection, job, 60).fence)
    _claim_again(connection, job, -1)
    _moved(connection, "expire", id=job, **told)
    jobs.request_cancel(connection, job)
    _moved(connection, "cancel_waiting", id=job)
    waiting = jobs.insert(connection, "separate", {})
    _moved(connection, "reject", id=waiting.id, **told)
    _, claim = _claimed(connection)
    _moved(connection, "fail", **claim.fence, **told)
    job, claim = _claimed(connection)
    jobs.request_cancel(connection, job)
    _moved(connection, "stop", **claim.fence)
    _, claim = _claimed(connection)
    done = _moved(
        connection,
        "complete",
        **claim.fence,
        output=Jsonb({}),
        result_digest=None,
        source_sha256=[],
        source_jobs=[],
    )
    if done.completed_at is None:
        raise MashupError("a job has no end: the trigger ai_jobs_guard is missing")


def _ask_tiers(connection: Connection) -> None:
    tier_of(connection, uuid4())
    open_by_tier(connection)
    likely_over_quota(connection)
    reject_over_quota(connection, uuid4())


def _claimed(connection: Connection) -> tuple[UUID, jobs.Claim]:
    job = jobs.insert(connection, "separate", {})
    return job.id, _claim_again(connection, job.id, 60)


def _claim_again(connection: Connection, job: UUID, lease_s: float) -> jobs.Claim:
    claimed = _moved(
        connection, "claim", id=job, worker_id="probe", lease_s=lease_s, job_types=["separate"]
    )
    return jobs.Claim(job, claimed.attempt, "probe")


def _moved(connection: Connection, kind: jobs.Move, **parameters: Any) -> jobs.Job:
    moved = jobs.move(connection, kind, **parameters)
    if moved is None:
        # Row-level security without a policy changes no rows, and raises nothing.
        raise MashupError(f"this role may not update ai_jobs ({kind}): it needs a policy")
    return moved


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
