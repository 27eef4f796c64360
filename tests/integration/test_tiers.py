"""Limits of tiers in Postgres, also for racing workers."""

from __future__ import annotations

import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from mashup_worker.db import jobs
from mashup_worker.db.tiers import likely_over_quota, open_by_tier, reject_over_quota, tier_of
from tests.chaos.arena import DEADLINE_S, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from mashup_worker.db.database import Connection
    from tests.chaos.arena import Arena

ENDED = ("completed", "failed", "canceled")


@pytest.fixture
def owner(migrated_url: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    with psycopg.connect(migrated_url, autocommit=True, row_factory=dict_row) as connection:
        yield connection


def new_user(connection: Connection, tier: str | None = None, status: str = "active") -> UUID:
    row = connection.execute("INSERT INTO public.profiles DEFAULT VALUES RETURNING id").fetchone()
    assert row is not None
    user: UUID = row["id"]
    if tier is not None:
        subscribe(connection, user, tier, status)
    return user


def subscribe(connection: Connection, user: UUID, tier: str, status: str = "active") -> None:
    connection.execute(
        "INSERT INTO public.subscriptions (user_id, tier, status) VALUES (%s, %s, %s)",
        [user, tier, status],
    )


def job_at(
    connection: Connection, user: UUID | None, job_type: str, created_at: datetime | str = "now()"
) -> UUID:
    made = jobs.insert(connection, job_type, {"audio": "x"}, user_id=user)
    connection.execute(
        "UPDATE public.ai_jobs SET created_at = %s WHERE id = %s", [created_at, made.id]
    )
    return made.id


def start(connection: Connection, job: UUID) -> str:
    """Claim a job as a worker does after a wake-up; return `started` or the message."""
    with connection.transaction():
        refused = reject_over_quota(connection, job)
        if refused is not None:
            assert (refused.status, refused.error_code) == ("failed", "quota_exceeded")
            return str(refused.error_message)
        claimed = jobs.change_status(
            connection, "claim", id=job, worker_id="w", lease_s=60, job_types=["separate", "mashup"]
        )
    return "started" if claimed else "not waiting"


def test_each_tier_allows_its_number_of_jobs(owner: Connection) -> None:
    month = datetime.now(UTC).replace(day=15, hour=12)
    for tier, job_type, asked, allowed in (
        (None, "separate", 3, 1),
        (None, "mashup", 2, 0),
        (None, "analyze", 5, 5),
        ("free", "separate", 3, 1),
        ("pro", "separate", 30, 30),
        ("pro", "mashup", 23, 20),
        ("studio", "mashup", 40, 40),
        ("Studio", "separate", 40, 40),
        ("unheard-of", "separate", 3, 1),
    ):
        user = new_user(owner, tier)
        made = [job_at(owner, user, job_type, month + timedelta(seconds=n)) for n in range(asked)]
        with owner.transaction():
            refused = [job for job in made if reject_over_quota(owner, job)]
        assert refused == made[allowed:], (tier, job_type)
    userless = [job_at(owner, None, "mashup") for _ in range(3)]
    assert not any(reject_over_quota(owner, job) for job in userless)


def test_the_message_names_the_limit_and_the_remedies(owner: Connection) -> None:
    day = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    free, pro = new_user(owner), new_user(owner, "pro")
    start(owner, job_at(owner, free, "separate", day))
    assert start(owner, job_at(owner, free, "separate", day)) == (
        "The free tier includes 1 separation per day; wait until 2027-01-01 00:00 UTC or upgrade"
        " to the pro tier."
    )
    assert start(owner, job_at(owner, free, "mashup", day)) == (
        "The free tier includes no mashups; upgrade to the pro tier."
    )
    for number in range(20):
        assert start(owner, job_at(owner, pro, "mashup", day - timedelta(days=number))) == "started"
    assert start(owner, job_at(owner, pro, "mashup", day)) == (
        "The pro tier includes 20 mashups per month; wait until 2027-01-01 00:00 UTC or upgrade to"
        " the studio tier."
    )


def test_days_are_those_of_utc(owner: Connection) -> None:
    owner.execute("SET timezone = 'America/Los_Angeles'")
    user, midnight = new_user(owner), datetime(2026, 3, 8, tzinfo=UTC)
    late, early, next_late = (
        job_at(owner, user, "separate", midnight + timedelta(seconds=s)) for s in (-1, 0, 86_399)
    )
    assert start(owner, late) == start(owner, early) == "started"
    assert "2026-03-09" in start(owner, next_late)


def test_failed_and_unstarted_jobs_do_not_count(owner: Connection) -> None:
    user, noon = new_user(owner), datetime(2026, 3, 9, 12, tzinfo=UTC)
    broken, unwanted, regretted, good, more = (
        job_at(owner, user, "separate", noon + timedelta(seconds=n)) for n in range(5)
    )
    with owner.transaction():
        assert jobs.change_status(owner, "reject", id=broken, code="invalid_input", message="no")
        jobs.request_cancel(owner, unwanted)
        assert jobs.change_status(owner, "cancel_waiting", id=unwanted)
    assert start(owner, regretted) == "started"
    # A started job counts, even after it is released or canceled.
    claim = {"id": regretted, "attempt": 1, "worker_id": "w"}
    with owner.transaction():
        assert jobs.change_status(owner, "release", **claim)
    assert start(owner, good).startswith("The free tier")
    assert start(owner, regretted) == "started"
    with owner.transaction():
        jobs.request_cancel(owner, regretted)
        assert jobs.change_status(owner, "cancel_running", **{**claim, "attempt": 2})
    assert start(owner, more).startswith("The free tier")


def test_the_tier_is_that_of_the_best_active_subscription(owner: Connection) -> None:
    user = new_user(owner, "studio", "canceled")
    assert tier_of(owner, user) == "free"
    subscribe(owner, user, "free")
    subscribe(owner, user, "pro", "trialing")
    subscribe(owner, user, "studio", "past_due")
    assert tier_of(owner, user) == "pro"
    assert tier_of(owner, None) == "none"


def test_operators_set_the_limits(owner: Connection) -> None:
    owner.execute("INSERT INTO mashup_worker.tiers VALUES ('label', 30, 2, NULL)")
    owner.execute("UPDATE mashup_worker.tiers SET separations_per_day = NULL WHERE tier = 'free'")
    free, label = new_user(owner), new_user(owner, "label")
    assert all(start(owner, job_at(owner, free, "separate")) == "started" for _ in range(5))
    made = [job_at(owner, label, "separate") for _ in range(3)]
    results = [start(owner, job) for job in made]
    assert results[:2] == ["started"] * 2
    # No higher tier allows more.
    assert results[2].endswith("00:00 UTC.")


def test_jobs_over_the_limit_are_found(owner: Connection) -> None:
    users = [new_user(owner, tier) for tier in (None, "pro", "studio")]
    made = {user: [job_at(owner, user, "separate") for _ in range(4)] for user in users}
    rejected = [job_at(owner, users[0], "mashup"), *made[users[0]][1:]]
    assert set(likely_over_quota(owner)) == set(rejected)
    for job in rejected:
        assert reject_over_quota(owner, job)
    assert not likely_over_quota(owner)


def test_racing_claims_start_one_job(owner: Connection, migrated_url: str) -> None:
    user = new_user(owner)
    made = [job_at(owner, user, "separate") for _ in range(20)]
    barrier = threading.Barrier(len(made))

    def claim(job: UUID) -> str:
        with psycopg.connect(migrated_url, autocommit=True, row_factory=dict_row) as connection:
            barrier.wait(DEADLINE_S)
            return start(connection, job)

    with ThreadPoolExecutor(len(made)) as pool:
        results = list(pool.map(claim, made))
    assert results.count("started") == 1
    assert sum(one.startswith("The free tier") for one in results) == 19


def test_twenty_racing_inserts_start_one_job(place: Arena) -> None:
    """Inserted with the role of a user, with several mirrors and workers running."""
    with place.sql() as connection:
        user = new_user(connection)
    for _ in range(2):
        place.mirror()
    for _ in range(3):
        place.worker_process(0.2)
    until(lambda: all(one.is_ready() for one in place.processes), "all processes to be ready")
    barrier = threading.Barrier(20)

    def insert(_number: int) -> None:
        with psycopg.connect(place.info.database_url) as connection:
            claims = json.dumps({"sub": str(user), "role": "authenticated"})
            connection.execute("SELECT set_config('request.jwt.claims', %s, true)", [claims])
            connection.execute("SET LOCAL ROLE authenticated")
            barrier.wait(DEADLINE_S)
            connection.execute(
                "INSERT INTO public.ai_jobs (user_id, job_type, input_data)"
                " VALUES (%s, 'separate', %s)",
                [user, Jsonb({"audio": "inputs/good"})],
            )

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(insert, range(20)))

    def rows() -> list[dict[str, Any]]:
        with place.sql() as connection:
            return connection.execute(
                "SELECT * FROM public.ai_jobs WHERE user_id = %s", [user]
            ).fetchall()

    until(lambda: all(row["status"] in ENDED for row in rows()), "all to end")
    results = Counter((row["status"], row["error_code"], row["attempt"]) for row in rows())
    assert results == {("completed", None, 1): 1, ("failed", "quota_exceeded", 0): 19}


def test_enforcement_can_be_left_to_the_backend(place: Arena) -> None:
    with place.sql() as connection:
        user = new_user(connection)
    place.mirror(MASHUP_ENFORCE_QUOTAS="false")
    place.worker_process(0.05, MASHUP_ENFORCE_QUOTAS="false")
    made = [place.insert(user_id=user) for _ in range(3)]
    assert [place.ended(job)["status"] for job in made] == ["completed"] * 3


def test_open_jobs_by_tier(owner: Connection) -> None:
    now = datetime.now(UTC)
    for tier, age_s in ((None, 100), ("pro", 50), ("pro", 200)):
        job_at(owner, new_user(owner, tier), "separate", now - timedelta(seconds=age_s))
    start(owner, job_at(owner, None, "mashup", now - timedelta(seconds=10)))
    found = {(one.tier, one.job_type, one.status): one for one in open_by_tier(owner)}
    assert {where: one.jobs for where, one in found.items()} == {
        ("free", "separate", "queued"): 1,
        ("pro", "separate", "queued"): 2,
        ("none", "mashup", "processing"): 1,
    }
    assert 200 <= found["pro", "separate", "queued"].oldest_s < 800
