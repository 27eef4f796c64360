"""Order and latency of job starts."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
import pytest
import redis

from mashup_worker.db import jobs
from mashup_worker.db.database import Database
from mashup_worker.queue.mirror import Mirror
from mashup_worker.queue.wakeups import job_id_of, rq_queue
from mashup_worker.settings import QueueSettings
from tests.chaos.arena import started, until

if TYPE_CHECKING:
    from tests.chaos.arena import Arena

USERS = 12
TIERS = {"free": 0, "pro": 8, "studio": 16}
AGING_S = 600.0


@dataclass(frozen=True)
class Waiting:
    """Queued job in a naive queue."""

    id: UUID
    user: UUID | None
    priority: int
    tier: str | None
    created_at: datetime


def naive_next(waiting: list[Waiting], running: Counter[UUID], now: datetime) -> Waiting:
    """Return the job that the documented order puts first."""
    before: dict[UUID, int] = {}
    queued: Counter[UUID] = Counter()
    for job in sorted(waiting, key=lambda job: (-job.priority, job.created_at, str(job.id))):
        if job.user:
            before[job.id] = queued[job.user] + running[job.user]
            queued[job.user] += 1

    def rank(job: Waiting) -> tuple[float, int, datetime, str]:
        steps = (now - job.created_at).total_seconds() // AGING_S
        ahead = before.get(job.id, 0)
        level = job.priority + TIERS.get(job.tier or "", 0) + max(0, steps - ahead)
        return (-level, ahead, job.created_at, str(job.id))

    return min(waiting, key=rank)


def queued_jobs(connection: psycopg.Connection[Any], count: int) -> list[Waiting]:
    dice = random.Random(11)
    users = [uuid4() for _ in range(USERS)]
    tiers = {user: dice.choice(list(TIERS)) for user in users}
    now = datetime.now(UTC)
    # All ages differ, and none crosses a step of aging while the test runs.
    ages_s = [AGING_S * dice.randrange(6) + 60 + number * 0.2 for number in range(count)]
    made = []
    for age_s in ages_s:
        user = dice.choice([*users, users[0], users[0], None])
        priority, tier = dice.choice([0, 0, 0, 1, 5]), tiers[user] if user else None
        made.append(Waiting(uuid4(), user, priority, tier, now - timedelta(seconds=age_s)))
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO public.profiles (id) VALUES (%s)", [(u,) for u in users])
        cursor.executemany(
            "INSERT INTO public.subscriptions (user_id, tier) VALUES (%s, %s)", list(tiers.items())
        )
        cursor.executemany(
            "INSERT INTO public.ai_jobs (id, user_id, job_type, input_data, priority, created_at)"
            " VALUES (%s, %s, 'separate', '{}', %s, %s)",
            [(job.id, job.user, job.priority, job.created_at) for job in made],
        )
    return made


@pytest.mark.parametrize("count", [200, pytest.param(1_000, marks=pytest.mark.slow)])
def test_jobs_start_in_the_documented_order(migrated_url: str, redis_url: str, count: int) -> None:
    # One wake-up at a time, so that each choice follows the previous start.
    settings = QueueSettings(queue_depth=1, aging_s=AGING_S, enforce_quotas=False)
    with (
        psycopg.connect(migrated_url, autocommit=True) as connection,
        Database(migrated_url) as database,
        redis.Redis.from_url(redis_url) as client,
    ):
        waiting = queued_jobs(connection, count)
        mirror = Mirror(database, client, settings)
        queue = rq_queue("gpu", client)
        running: Counter[UUID] = Counter()
        for number in range(count):
            mirror.pass_once()
            (wakeup,) = queue.get_jobs()
            job_id = job_id_of(wakeup)
            client.delete(queue.key)
            wanted = naive_next(waiting, running, datetime.now(UTC))
            assert job_id == wanted.id, f"start {number}"
            with database.transaction() as one:
                claimed = jobs.change_status(
                    one, "claim", id=job_id, worker_id="w", lease_s=600, job_types=["separate"]
                )
            assert claimed is not None
            waiting.remove(wanted)
            if wanted.user:
                running[wanted.user] += 1


def latencies_s(place: Arena, count: int) -> list[float]:
    """Return sorted times from insert to start on an idle worker, one job at a time."""
    found = []
    for _ in range(count):
        row = place.ended(place.insert())
        assert row["attempt"] == 1
        found.append((row["started_at"] - row["created_at"]).total_seconds())
    return sorted(found)


def test_an_idle_worker_starts_at_once(place: Arena) -> None:
    """Far sooner than polls, whatever else the machine does."""
    poll_s = 300
    started(place, duration_s=0.05, MASHUP_POLL_S=str(poll_s), MASHUP_LISTEN="on")
    found = latencies_s(place, 20)
    assert found[round(0.95 * len(found)) - 1] < poll_s / 30


def test_without_notifications_polling_finds_jobs(place: Arena) -> None:
    poll_s = 2
    started(place, duration_s=0.05, MASHUP_POLL_S=str(poll_s), MASHUP_LISTEN="off")
    found = latencies_s(place, 4)
    assert found[0] < poll_s
    assert found[-1] < 5 * poll_s  # on a loaded machine


def test_an_ended_job_makes_room_for_the_next_wakeup(place: Arena) -> None:
    """More jobs than wake-ups, with a poll interval longer than the test."""
    started(place, duration_s=0.05, MASHUP_POLL_S="600")
    made = [place.insert() for _ in range(30)]
    until(lambda: all(place.job(job)["status"] == "completed" for job in made), "all to complete")
