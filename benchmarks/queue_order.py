"""Waiting times of a simulated busy day, in the order of the queue's own query.

    python -m benchmarks.queue_order [--jobs N] [--users N] [--seed N]

Jobs of many users arrive over a day with rush hours. Worker processes take them in the order that
the query in Postgres returns; only the clock is simulated. For comparison, the same jobs also run
first come, first served.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
import statistics
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from benchmarks.results import publish, table
from mashup_worker.db import jobs
from mashup_worker.db.migrate import migrate
from mashup_worker.stack.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mashup_worker.db.database import Connection

TIERS = {"free": 0.7, "pro": 0.22, "studio": 0.08}
"""Shares of the users."""

DAY_S = 86_400.0
PROCESSES, LOAD = 20, 0.88
"""Worker processes, and the share of the day that they work."""

STEP_S = 10.0
AGING_S = 900.0
BULK = 0.03
"""Share of all jobs that one user of the free tier inserts at once."""

_START = datetime(2026, 1, 5, tzinfo=UTC)
_CLOCK = """
CREATE SCHEMA sim;
CREATE FUNCTION sim.clock_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS
  $$ SELECT current_setting('sim.now')::timestamptz $$;
"""


@dataclass(frozen=True)
class Arrival:
    """Job of the day.

    Attributes:
        at_s: time of its insertion, in seconds since the day began.
        work_s: its running time.
        bulk: whether it is one of the jobs that a single user inserts at once.
    """

    id: UUID
    user: UUID
    tier: str
    at_s: float
    work_s: float
    bulk: bool = False


def busy_day(count: int, users: int, seed: int) -> list[Arrival]:
    """Return jobs in the order of their arrival."""
    dice = random.Random(seed)
    people = [UUID(int=dice.getrandbits(128), version=4) for _ in range(users)]
    names, shares = zip(*TIERS.items(), strict=True)
    tiers = {one: dice.choices(names, shares)[0] for one in people} | {people[0]: "free"}
    activity = [dice.paretovariate(1.5) for _ in people]
    bulk = round(BULK * count)
    mean_s = LOAD * PROCESSES * DAY_S / count

    def arrival(user: UUID, at_s: float, *, is_bulk: bool = False) -> Arrival:
        work_s = mean_s * dice.lognormvariate(-0.18, 0.6)
        return Arrival(
            UUID(int=dice.getrandbits(128), version=4), user, tiers[user], at_s, work_s, is_bulk
        )

    day = [arrival(people[0], 0.35 * DAY_S + n * 0.01, is_bulk=True) for n in range(bulk)]
    while len(day) < count:
        at_s = dice.random() * DAY_S
        # The evening has two and a half times as many arrivals as the early morning.
        if dice.random() < 0.7 - 0.3 * math.cos(2 * math.pi * at_s / DAY_S + 0.6):
            day.append(arrival(dice.choices(people, activity)[0], at_s))
    return sorted(day, key=lambda one: one.at_s)


def waits_in_order(connection: Connection, day: Sequence[Arrival]) -> dict[UUID, float]:
    """Return the seconds that each job waits when the queue's query decides."""
    _insert(connection, day)
    connection.execute(_CLOCK)
    connection.execute("SET search_path = sim, pg_catalog, public")
    by_id = {one.id: one for one in day}
    waits: dict[UUID, float] = {}
    running: list[tuple[float, UUID]] = []
    now_s = 0.0
    while len(waits) < len(day):
        now_s += STEP_S
        ended = []
        while running and running[0][0] <= now_s:
            ended.append(heapq.heappop(running)[1])
        for job in _next_step(connection, now_s, ended, PROCESSES - len(running)):
            waits[job] = now_s - by_id[job].at_s
            heapq.heappush(running, (now_s + by_id[job].work_s, job))
    return waits


def _next_step(
    connection: Connection, now_s: float, ended: Sequence[UUID], free: int
) -> list[UUID]:
    """End jobs, and start one for every free worker process."""
    now = (_START + timedelta(seconds=now_s)).isoformat()
    with connection.transaction():
        connection.execute("SELECT set_config('sim.now', %s, true)", [now])
        _set_status(connection, "completed", ended)
        rows = jobs.select(
            connection,
            "next_waiting",
            job_types=["separate"],
            aging_s=AGING_S,
            pending=[],
            limit=free,
        )
        chosen = [row["id"] for row in rows] if free else []
        _set_status(connection, "processing", chosen)
    return chosen


def waits_first_come(day: Sequence[Arrival]) -> dict[UUID, float]:
    """Return the seconds that each job waits when the oldest job starts first."""
    free_at_s = [0.0] * PROCESSES
    waits = {}
    for one in day:
        start_s = max(one.at_s, heapq.heappop(free_at_s))
        waits[one.id] = start_s - one.at_s
        heapq.heappush(free_at_s, start_s + one.work_s)
    return waits


def overtaken(day: Sequence[Arrival], waits: Mapping[UUID, float]) -> float:
    """Return how much younger than a waiting job a started job was, at most, in seconds.

    Jobs that arrived while another job of their user waited or ran do not count as overtaken.
    """
    free_at_s: dict[UUID, float] = {}
    alone = set()
    for one in day:
        if one.at_s >= free_at_s.get(one.user, 0.0):
            alone.add(one.id)
        ends_s = one.at_s + waits[one.id] + one.work_s
        free_at_s[one.user] = max(ends_s, free_at_s.get(one.user, 0.0))
    worst_s, oldest_s = 0.0, math.inf
    for one in sorted(day, key=lambda one: -(one.at_s + waits[one.id])):
        worst_s = max(worst_s, one.at_s - oldest_s)
        if one.id in alone:
            oldest_s = min(oldest_s, one.at_s)
    return worst_s


def _insert(connection: Connection, day: Sequence[Arrival]) -> None:
    users = {one.user: one.tier for one in day}
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany("INSERT INTO profiles (id) VALUES (%s)", [(user,) for user in users])
        cursor.executemany(
            "INSERT INTO subscriptions (user_id, tier) VALUES (%s, %s)", list(users.items())
        )
        rows = [(one.id, one.user, _START + timedelta(seconds=one.at_s)) for one in day]
        cursor.executemany(
            "INSERT INTO ai_jobs (id, user_id, created_at, run_at, job_type, input_data)"
            " VALUES (%s, %s, %s, %s, 'separate', '{}')",
            [(job, user, at, at) for job, user, at in rows],
        )
    connection.execute("ANALYZE ai_jobs")


def _set_status(connection: Connection, status: str, ids: Sequence[UUID]) -> None:
    if ids:
        connection.execute(
            "UPDATE public.ai_jobs SET status = %s WHERE id = ANY(%s)", [status, list(ids)]
        )


def rows_of(day: Sequence[Arrival], *results: Mapping[UUID, float]) -> list[tuple[str, ...]]:
    """Return a row per tier, and one for the user who inserted many jobs at once."""
    groups = {tier: [one for one in day if one.tier == tier and not one.bulk] for tier in TIERS}
    groups["free, inserted at once"] = [one for one in day if one.bulk]
    return [
        (
            name,
            str(len({one.user for one in group})),
            str(len(group)),
            *(_minutes([waits[one.id] for one in group]) for waits in results),
        )
        for name, group in groups.items()
    ]


def _minutes(waits_s: Sequence[float]) -> str:
    ordered = sorted(waits_s)
    p95_s = ordered[math.ceil(0.95 * len(ordered)) - 1]
    middle_s = statistics.median(ordered)
    return " / ".join(f"{seconds / 60:.1f}" for seconds in (middle_s, p95_s, ordered[-1]))


def main() -> None:
    """Simulate a day and publish its waiting times."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--users", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    day = busy_day(given.jobs, given.users, given.seed)
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder), ["postgres"]) as info:
        migrate(info.database_url)
        kept: dict[str, Any] = {"autocommit": True, "row_factory": dict_row}
        with psycopg.connect(info.database_url, **kept) as connection:
            waits = waits_in_order(connection, day)
    took_s = time.monotonic() - started_s
    naive = waits_first_come(day)
    publish(
        "queue_order",
        f"{len(day):,} jobs of {len({one.user for one in day})} users in a day, on {PROCESSES} "
        f"worker processes that are busy {LOAD:.0%} of the time; one free user inserts "
        f"{round(BULK * len(day))} at once. One step of aging is {AGING_S / 60:g} minutes. "
        f"Simulated in {took_s:.0f} s.",
        "Minutes of waiting (median / 95 % / longest):",
        table(
            ("tier", "users", "jobs", "the queue", "first come, first served"),
            rows_of(day, waits, naive),
        ),
        f"No user's only job was overtaken by one that arrived more than "
        f"{overtaken(day, waits) / 60:.0f} minutes later.",
    )


if __name__ == "__main__":
    main()
