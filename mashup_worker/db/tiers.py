"""Subscription tiers: the priority and the limits of a user's jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.db import jobs
from mashup_worker.db.named_sql import select
from mashup_worker.errors import QuotaExceeded

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from mashup_worker.db.database import Connection

NO_TIER = "none"
"""Tier of jobs without a user, which have no limits."""

_LIMIT = ("job_type", "period", "max_jobs", "used", "until", "next_tier")
_NOUNS = {"separate": ("separation", "separations"), "mashup": ("mashup", "mashups")}


@dataclass(frozen=True, kw_only=True)
class TierLimit:
    """Limit of a tier that a user has reached.

    Attributes:
        max_jobs: number of jobs of the type that the tier includes in each period.
        period: `day` or `month`, in UTC.
        until: first day of the next period.
        next_tier: lowest tier that includes more; None for none.
    """

    tier: str
    job_type: str
    max_jobs: int
    period: str
    until: date
    next_tier: str | None

    @property
    def message(self) -> str:
        """Message for users: the limit, and when or how it is lifted."""
        one, many = _NOUNS.get(self.job_type, (self.job_type, self.job_type))
        if self.max_jobs == 0:
            reached = f"The {self.tier} tier includes no {many}"
            remedies = []
        else:
            noun = one if self.max_jobs == 1 else many
            reached = f"The {self.tier} tier includes {self.max_jobs} {noun} per {self.period}"
            remedies = [f"wait until {self.until} 00:00 UTC"]
        if self.next_tier:
            remedies.append(f"upgrade to the {self.next_tier} tier")
        return f"{reached}; {' or '.join(remedies)}." if remedies else f"{reached}."


@dataclass(frozen=True, kw_only=True)
class OpenJobs:
    """Number of open jobs of one tier, type and status; `oldest_s` is the age of the oldest."""

    tier: str
    job_type: str
    status: str
    jobs: int
    oldest_s: float


@dataclass(frozen=True, kw_only=True)
class Limit:
    """Limit of a tier for one type of job, in the present day or month (UTC).

    Attributes:
        max_jobs: None for no limit.
        used: jobs that count.
        until: first day of the next period.
        next_tier: tier that lifts the limit.
    """

    job_type: str
    period: str
    max_jobs: int | None
    used: int
    until: date
    next_tier: str | None

    @property
    def left(self) -> int | None:
        """Number of jobs that may still start; None for no limit."""
        return None if self.max_jobs is None else max(0, self.max_jobs - self.used)


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """Tier of a user, with its limits; `tier_above` is the next one, if any."""

    tier: str
    priority: int
    tier_above: str | None
    limits: tuple[Limit, ...]


def subscription(connection: Connection, user_id: UUID | None) -> Subscription:
    """Return the subscription of a user; without a user, one without limits.

    Call it with the role of the API.
    """
    rows = select(connection, "tiers.limits_of", user=user_id) if user_id else []
    if not rows:
        return Subscription(tier=NO_TIER, priority=0, tier_above=None, limits=())
    own = {name: rows[0][name] for name in ("tier", "priority", "tier_above")}
    limits = (Limit(**{name: row[name] for name in _LIMIT}) for row in rows)
    return Subscription(**own, limits=tuple(limits))


def tier_of(connection: Connection, user_id: UUID | None) -> str:
    """Return the tier of a user, or `none` without a user."""
    if user_id is None:
        return NO_TIER
    return str(select(connection, "tiers.tier_of", user=user_id)[0]["tier"])


def reject_over_quota(connection: Connection, job_id: UUID) -> jobs.Job | None:
    """Fail a waiting job that is over the limit of its user's tier.

    A lock for the user lasts until the transaction ends, so that no other job of the user is
    decided meanwhile.

    Returns:
        The failed job; None if the job may start.
    """
    rows = select(connection, "tiers.over_quota", job=job_id)
    if not rows:
        return None
    return jobs.change_status(
        connection,
        "reject",
        id=job_id,
        code=QuotaExceeded.code,
        message=TierLimit(**rows[0]).message,
    )


def likely_over_quota(connection: Connection) -> list[UUID]:
    """Return waiting jobs that `reject_over_quota` should decide about."""
    return [row["id"] for row in select(connection, "tiers.likely_over_quota")]


def open_by_tier(connection: Connection) -> list[OpenJobs]:
    """Return numbers and ages of all open jobs."""
    return [OpenJobs(**row) for row in select(connection, "tiers.open_by_tier")]
