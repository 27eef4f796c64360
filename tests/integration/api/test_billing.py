"""The subscription counts as the queue does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.types.json import Jsonb

from mashup_worker.db import jobs
from mashup_worker.db.tiers import reject_over_quota

if TYPE_CHECKING:
    from uuid import UUID

    from tests.integration.api.world import World


def subscription(world: World, user: UUID) -> Any:
    return world.client.get("/api/billing/subscription", headers=world.as_user(user)).json()


def subscribe(world: World, user: UUID, tier: str) -> None:
    world.owner.execute("INSERT INTO subscriptions (user_id, tier) VALUES (%s, %s)", [user, tier])


def test_each_tier_has_its_limits(world: World) -> None:
    today = datetime.now(UTC).date()
    next_month = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    until = {"day": str(today + timedelta(days=1)), "month": str(next_month)}

    def limit(job_type: str, period: str, most: int | None, higher: str | None) -> dict[str, Any]:
        numbers = {"max_jobs": most, "used": 0, "left": most}
        return {
            "job_type": job_type, "period": period, **numbers,
            "until": until[period], "next_tier": higher,
        }  # fmt: skip

    assert subscription(world, world.alice) == {
        "tier": "free",
        "priority": 0,
        "tier_above": "pro",
        "limits": [limit("mashup", "month", 0, "pro"), limit("separate", "day", 1, "pro")],
    }
    subscribe(world, world.alice, "Pro")
    pro = subscription(world, world.alice)
    assert (pro["tier"], pro["priority"], pro["tier_above"]) == ("pro", 8, "studio")
    assert pro["limits"] == [
        limit("mashup", "month", 20, "studio"),
        limit("separate", "day", None, None),
    ]
    subscribe(world, world.alice, "studio")
    assert subscription(world, world.alice)["tier_above"] is None
    assert subscription(world, world.bob)["tier"] == "free"


def test_the_service_itself_has_no_limits(world: World) -> None:
    headers = world.as_service("read")
    answer = world.client.get("/api/billing/subscription", headers=headers).json()
    assert answer == {"tier": "none", "priority": 0, "tier_above": None, "limits": []}
    acting = {**headers, "Mashup-User": str(world.alice)}
    answer = world.client.get("/api/billing/subscription", headers=acting).json()
    assert answer["tier"] == "free"


@pytest.mark.parametrize(
    "states",
    [
        [],
        ["queued"],
        ["completed", "failed", "canceled"],
        ["completed", "processing", "queued", "started, canceled"],
        ["yesterday", "completed", "retried"],
        ["completed"] * 7,
    ],
)
def test_what_is_left_may_start(world: World, states: list[str]) -> None:
    """The queue lets as many further jobs start as the answer says."""
    world.owner.execute("UPDATE mashup_worker.tiers SET separations_per_day = 5")
    for state in states:
        insert(world, state)
    limits = subscription(world, world.alice)["limits"]
    (limit,) = (one for one in limits if one["job_type"] == "separate")
    assert limit["used"] + limit["left"] == 5 or limit["left"] == 0
    started = 0
    for _ in range(6):
        job = jobs.insert(world.owner, "separate", {}, user_id=world.alice)
        with world.owner.transaction():
            started += reject_over_quota(world.owner, job.id) is None
    assert started == limit["left"]


def insert(world: World, state: str) -> None:
    created_at = datetime.now(UTC) - timedelta(days=state == "yesterday")
    status, attempt = {
        "queued": ("queued", 0),
        "retried": ("queued", 1),
        "processing": ("processing", 1),
        "completed": ("completed", 1),
        "failed": ("failed", 1),
        "canceled": ("canceled", 0),
        "started, canceled": ("canceled", 1),
        "yesterday": ("completed", 1),
    }[state]
    world.owner.execute(
        "INSERT INTO ai_jobs (user_id, job_type, input_data, status, attempt, created_at)"
        " VALUES (%s, 'separate', %s, %s, %s, %s)",
        [world.alice, Jsonb({}), status, attempt, created_at],
    )
