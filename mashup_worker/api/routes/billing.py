"""Subscription of the caller: tier, limits, and the number of jobs left."""

from __future__ import annotations

from datetime import date

from fastapi import APIRouter
from pydantic import Field

from mashup_worker.api.context import Context, Reader
from mashup_worker.api.documents import Document
from mashup_worker.db import tiers

router = APIRouter(tags=["billing"])


class LimitDocument(Document):
    """Limit for one type of job in the present day or month (UTC).

    Attributes:
        max_jobs: null for no limit.
        used: jobs of the period that count: all that started and did not fail, and those that wait.
        left: jobs that may still start in the period; null for no limit.
        until: first day of the next period.
        next_tier: tier that lifts the limit.
    """

    job_type: str = Field(examples=["separate"])
    period: str = Field(examples=["day"])
    max_jobs: int | None = Field(examples=[1])
    used: int = Field(examples=[1])
    left: int | None = Field(examples=[0])
    until: date
    next_tier: str | None = Field(examples=["pro"])


class SubscriptionDocument(Document):
    """Subscription of a user.

    Attributes:
        tier: `none` for a service token that acts for no user, which has no limits.
        priority: added to the priority of the user's jobs.
        tier_above: next tier; null for the highest.
    """

    tier: str = Field(examples=["free"])
    priority: int = Field(examples=[0])
    tier_above: str | None = Field(examples=["pro"])
    limits: list[LimitDocument]


@router.get("/billing/subscription")
def get_subscription(context: Context, caller: Reader) -> SubscriptionDocument:
    """Return the caller's tier with its limits."""
    with context.database.transaction() as connection:
        found = tiers.subscription(connection, caller.user_id)
    return SubscriptionDocument.model_validate(found)
