"""Check of the live schema: every statement of a job is executed and rolled back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb

from mashup_worker.db import jobs, mashups, queues, songs, webhooks
from mashup_worker.db.database import reason_of
from mashup_worker.db.migrate import edited, pending
from mashup_worker.db.named_sql import select
from mashup_worker.db.publishing import (
    model_of_stem,
    owns_mashup,
    publish,
    readable_stem,
    referenced_keys,
)
from mashup_worker.db.tiers import (
    likely_over_quota,
    open_by_tier,
    reject_over_quota,
    subscription,
    tier_of,
)
from mashup_worker.errors import MashupError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mashup_worker.db.database import Connection, Database

_WRITTEN = {
    "stems": (
        "mashup_worker.publish_stems",
        "user_id mashup_id job_id kind storage_key sha256 duration_s loudness_lufs tempo_bpm "
        "musical_key",
    ),
    "mashup_stems": ("mashup_worker.publish_stems", "mashup_id stem_id kind storage_key peaks_key"),
    "stem_mashup_links": ("public.link_stems", "stem_id mashup_id"),
    "stem_usage_log": ("public.link_stems", "stem_id mashup_id user_id job_id"),
    "mashups": ("public.save_mashup", "user_id title is_public"),
}
"""Columns that the functions of our migrations fill, by table, with the function."""

_REQUIRED_COLUMNS = b"""
SELECT attname AS name FROM pg_catalog.pg_attribute AS a
WHERE a.attrelid = to_regclass('public.' || %(table)s) AND a.attnum > 0 AND a.attnotnull
  AND NOT a.attisdropped AND NOT a.atthasdef AND a.attidentity = ''
"""

_OWN_FUNCTIONS = b"""
SELECT FROM pg_catalog.pg_proc
WHERE oid = to_regproc(%(function)s)
  AND prosrc LIKE '%%INSERT INTO public.' || %(table)s || ' %%'
"""


class _RollBackError(Exception):
    """Ends the transaction of a check."""


def schema_problems(database: Database, *, publishing: bool = True, api: bool = True) -> list[str]:
    """Return the problems of the schema for the connected role, the worker's; empty if it fits.

    The backend's tables are checked if `publishing`, and what only the HTTP API needs of them if
    `api` too.

    Raises:
        ServiceUnavailable: the database is unreachable.
    """
    with database.transaction() as connection:
        missing = pending(connection)
        if missing:
            return [f"migration {name}: missing; run `mashup migrate`" for name in missing]
        problems = [
            f"migration {name}: its text differs from the one that was applied"
            for name in edited(connection)
        ]
    api = api and publishing
    for name, step in _steps(publishing=publishing, api=api).items():
        reason = _refusal(database, step)
        if reason:
            problems.append(f"{name}: {reason}")
    if publishing:
        problems += _unfilled_columns(database, api=api)
    return problems


def _steps(*, publishing: bool, api: bool) -> dict[str, Callable[[Connection], object]]:
    steps: dict[str, Callable[[Connection], object]] = {
        "the status of a job": _run_jobs,
        "tiers": _query_tiers,
        "paused queues": _query_queues,
        "webhooks": _send_webhook,
    }
    if publishing:
        steps |= {
            "publishing stems": lambda c: publish(c, "separate", uuid4()),
            "publishing a mashup": lambda c: publish(c, "mashup", uuid4()),
            "ownership of mashups": lambda c: owns_mashup(c, uuid4(), uuid4()),
            "stems of the registry": lambda c: readable_stem(c, uuid4(), uuid4()),
            "models of stems": lambda c: model_of_stem(c, uuid4()),
            "corrections of songs": _query_corrections,
            "referenced keys": lambda c: referenced_keys(c, ["probes/none"]),
        }
    if api:
        steps |= {
            "stems and mashups of callers": lambda c: select(c, "stems.check_rows"),
            "words of stems": lambda c: select(c, "stems.with_words", words="probe"),
            "facts of stems": lambda c: select(c, "stems.facts", id=uuid4()),
            "correcting a song": _correct_song,
            "saving a mashup": lambda c: mashups.save(c, uuid4(), title="-", is_public=False),
            "results of mashups": lambda c: mashups.results(c, [uuid4()]),
            "creators of mashups": lambda c: mashups.creators(c, uuid4()),
        }
    return steps


def _refusal(database: Database, step: Callable[[Connection], object]) -> str | None:
    try:
        with database.transaction() as connection:
            step(connection)
            raise _RollBackError
    except _RollBackError:
        return None
    except psycopg.OperationalError:
        raise
    except (psycopg.Error, MashupError) as error:
        return reason_of(error)


def _run_jobs(connection: Connection) -> None:
    """Apply every status change to jobs."""
    error = {"code": "probe", "message": "probe"}
    job, claim = _claimed(connection)
    jobs.heartbeat(connection, claim, lease_s=60, progress=1, stage="probe")
    _changed(connection, "retry", **claim.fence, **error, delay_s=0)
    _changed(connection, "release", **_claim(connection, job, 60).fence)
    _claim(connection, job, -1)
    _changed(connection, "expire", id=job, **error)
    jobs.request_cancel(connection, job)
    jobs.select(connection, "cancel_overdue")
    _changed(connection, "cancel_waiting", id=job)
    waiting = jobs.insert(connection, "separate", {})
    _changed(connection, "reject", id=waiting.id, **error)
    _, claim = _claimed(connection)
    _changed(connection, "fail", **claim.fence, **error)
    job, claim = _claimed(connection)
    jobs.request_cancel(connection, job)
    _changed(connection, "cancel_running", **claim.fence)
    _, claim = _claimed(connection)
    completed = _changed(
        connection,
        "complete",
        **claim.fence,
        output=Jsonb({"model": {"name": "probe"}}),
        result_digest=None,
        source_sha256=[],
        source_jobs=[],
    )
    if completed.completed_at is None:
        raise MashupError("ai_jobs: trigger ai_jobs_guard is missing; restore it from 0003_ai_jobs")
    if not select(connection, "publishing.models_of_job", job=completed.id):
        raise MashupError(
            "ai_jobs: trigger ai_jobs_models is missing; restore it from 0018_licenses"
        )


def _query_tiers(connection: Connection) -> None:
    tier_of(connection, uuid4())
    subscription(connection, uuid4())
    open_by_tier(connection)
    likely_over_quota(connection)
    reject_over_quota(connection, uuid4())


def _query_corrections(connection: Connection) -> None:
    songs.correction(connection, uuid4())
    songs.correction_of_stem(connection, uuid4())


def _correct_song(connection: Connection) -> None:
    correction = songs.SongCorrection(tempo_factor=1.0, downbeat_shift=0.0, musical_key=None)
    songs.correct(connection, uuid4(), correction)
    songs.uncorrect(connection, uuid4())
    select(connection, "songs.apply_correction", job=uuid4())


def _query_queues(connection: Connection) -> None:
    queues.paused(connection)
    queues.may_start(connection, ["separate"])
    queues.open_jobs(connection)


def _send_webhook(connection: Connection) -> None:
    job = jobs.insert(
        connection,
        "separate",
        {"webhook": "https://probe.example", "webhook_events_filter": ["start"]},
    )
    _claim(connection, job.id, 60)
    messages = webhooks.recent(connection, job_id=job.id)
    if not messages:
        raise MashupError(
            "ai_jobs: trigger ai_jobs_webhooks is missing; restore it from 0012_webhooks"
        )
    webhooks.claim(connection, limit=0, per_host=1, per_owner=1, lease_s=1)
    webhooks.job_of(connection, messages[0])
    webhooks.failed(connection, messages[0], error="probe", delay_s=0, retry_s=0, final=True)
    webhooks.retry(connection, messages[0].id)
    webhooks.delivered(connection, messages[0])
    webhooks.summary(connection)
    webhooks.remove_delivered(connection, age_s=1e9)


def _claimed(connection: Connection) -> tuple[UUID, jobs.Claim]:
    job = jobs.insert(connection, "separate", {})
    return job.id, _claim(connection, job.id, 60)


def _claim(connection: Connection, job: UUID, lease_s: float) -> jobs.Claim:
    claimed = _changed(
        connection, "claim", id=job, worker_id="probe", lease_s=lease_s, job_types=["separate"]
    )
    return jobs.Claim(id=job, attempt=claimed.attempt, worker_id="probe")


def _changed(connection: Connection, change: jobs.StatusChange, **parameters: Any) -> jobs.Job:
    changed = jobs.change_status(connection, change, **parameters)
    if changed is None:
        # Row-level security without a policy changes no rows and raises no error.
        raise MashupError(
            f"ai_jobs: row-level security hides jobs from this role ({change}); add a policy for it"
        )
    return changed


def _unfilled_columns(database: Database, *, api: bool) -> list[str]:
    """Return required columns of the live tables that our functions do not fill."""
    problems = []
    with database.transaction() as connection:
        for table, (function, written) in _WRITTEN.items():
            names = {"table": table, "function": function}
            own = connection.execute(_OWN_FUNCTIONS, names).fetchone()
            if own is None or (table == "mashups" and not api):
                continue
            rows = connection.execute(_REQUIRED_COLUMNS, names).fetchall()
            unfilled = {row["name"] for row in rows} - set(written.split())
            problems += [
                f"{table}.{column}: needs a value; replace the function {function}"
                for column in sorted(unfilled)
            ]
    return problems
