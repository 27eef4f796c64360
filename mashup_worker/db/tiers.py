"""What users' subscriptions give them: how soon their jobs start, and how many they may have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mashup_worker.db import jobs
from mashup_worker.db.named_sql import statements
from mashup_worker.errors import QuotaExceeded

if TYPE_CHECKING:
    from uuid import UUID

    from mashup_worker.db.database import Connection

NO_TIER = "none"
"""Of jobs without a user: limits don't concern them."""

_CALLED = {"separate": ("separation", "separations"), "mashup": ("mashup", "mashups")}


@dataclass(frozen=True)
class OpenJobs:
    """Jobs that have not ended, of one tier, type and status.

    Attributes:
        tier: `none` for jobs without a user.
        status: queued or processing.
        jobs: how many.
        oldest_s: how long ago the oldest was inserted.
    """

    tier: str
    job_type: str
    status: str
    jobs: int
    oldest_s: float


def tier_of(connection: Connection, user_id: UUID | None) -> str:
    """The tier of a user; `none` for nobody."""
    if user_id is None:
        return NO_TIER
    return str(_rows(connection, "tier_of", user=user_id)[0]["tier"])


def reject_over_quota(connection: Connection, job_id: UUID) -> jobs.Job | None:
    """Fail a waiting job if its user's tier allows no more of these, and say what would lift that.

    The decision holds until the transaction ends: no other job of this user is decided meanwhile.

    Returns:
        The failed job; None where the job may start.
    """
    rows = _rows(connection, "over_quota", job=job_id)
    if not rows:
        return None
    return jobs.move(
        connection, "reject", id=job_id, code=QuotaExceeded.code, message=_message(rows[0])
    )


def likely_over_quota(connection: Connection) -> list[UUID]:
    """Waiting jobs to ask `reject_over_quota` about."""
    return [row["id"] for row in _rows(connection, "likely_over_quota")]


def open_by_tier(connection: Connection) -> list[OpenJobs]:
    """How many jobs wait and run, and for how long."""
    return [OpenJobs(**row) for row in _rows(connection, "open_by_tier")]


def _message(limit: dict[str, Any]) -> str:
    """What is used up, and what would lift it."""
    one, many = _CALLED.get(limit["job_type"], (limit["job_type"], limit["job_type"]))
    most, period, lifted_by = limit["most"], limit["period"], limit["lifted_by"]
    if most == 0:
        told = f"The {limit['tier']} tier has no {many}"
        ways = []
    else:
        told = f"The {limit['tier']} tier has {most} {one if most == 1 else many} a {period}"
        ways = [f"there are new ones on {limit['until']} at 00:00 UTC"]
    if lifted_by:
        ways.append(f"the {lifted_by} tier has more")
    return f"{told}; {', and '.join(ways)}." if ways else f"{told}."


def _rows(connection: Connection, query: str, **parameters: Any) -> list[dict[str, Any]]:
    return connection.execute(statements("tiers")[query], parameters).fetchall()
