"""Figures of the whole fleet: queues, worker processes, throughput and cost."""

from __future__ import annotations

import logging
from datetime import datetime  # noqa: TC003  (pydantic reads annotations at runtime)
from typing import TYPE_CHECKING, Any
from uuid import UUID  # noqa: TC003

import redis
from pydantic import ConfigDict, Field

from mashup_worker.db import fleet as rows
from mashup_worker.db.fleet import GroupBy  # noqa: TC001
from mashup_worker.db.queues import all_queues
from mashup_worker.db.tiers import open_by_tier
from mashup_worker.described import DescribedModel
from mashup_worker.monitoring.processes import AnnouncedProcess, announced

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.db.database import Connection
    from mashup_worker.db.queues import QueueState
    from mashup_worker.db.tiers import OpenJobs
    from mashup_worker.settings import ServiceSettings

logger = logging.getLogger(__name__)

DEFAULT_HOURS, MAX_HOURS = 24, 24 * 92
_HOUR_S = 3_600


class _Figures(DescribedModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OpenFigures(_Figures):
    """Jobs that have not ended."""

    queued: int = Field(examples=[12])
    running: int = Field(examples=[2])
    oldest_queued_s: float | None = Field(
        examples=[4.5], description="Age of the oldest waiting job in seconds; null without one."
    )


class TierFigures(OpenFigures):
    """Jobs of the users of one tier that have not ended."""

    tier: str = Field(description="Tier; `none` for jobs without a user.", examples=["pro"])


class QueueFigures(OpenFigures):
    """Queue with its jobs that have not ended."""

    name: str = Field(examples=["gpu"])
    job_types: tuple[str, ...] = Field(examples=[["separate", "analyze", "mashup", "master"]])
    paused_at: datetime | None = Field(
        description="Time since which no job starts; null if jobs do."
    )
    tiers: tuple[TierFigures, ...]


class CurrentJob(_Figures):
    """Job that a worker process runs."""

    id: UUID
    job_type: str = Field(examples=["separate"])
    attempt: int = Field(examples=[1])
    stage: str | None = Field(examples=["separate"])
    progress: int = Field(examples=[45], description="Percent.")
    age_s: float = Field(examples=[3.1], description="Seconds since the start of the attempt.")


class Process(AnnouncedProcess):
    """Worker process with its current job."""

    job: CurrentJob | None


class Percentiles(_Figures):
    """Distribution of a time in seconds."""

    p50: float = Field(examples=[2.1])
    p95: float = Field(examples=[8.4])


class PeriodFigures(_Figures):
    """Jobs that ended within the period; all but the counts are of completed jobs."""

    completed: int = Field(examples=[1_203])
    failed: int = Field(examples=[4])
    canceled: int = Field(examples=[1])
    audio_s: float = Field(examples=[251_000.0], description="Seconds of audio.")
    device_s: float = Field(
        examples=[4_100.0], description="Seconds for which a device was occupied."
    )
    waiting_s: Percentiles | None = Field(
        description="Time from when the last attempt was due to its start."
    )
    running_s: Percentiles | None = Field(description="Duration of the last attempt.")
    cost: float | None = Field(
        examples=[2.85],
        description="`device_s` times MASHUP_DEVICE_HOUR_COST; null if that is not set.",
    )


class GroupFigures(PeriodFigures):
    """Jobs of one user or of one job type."""

    group: str | None = Field(
        examples=["separate"],
        description="Id of the user, or the job type; null for jobs without a user.",
    )


class ThroughputFigures(_Figures):
    """Jobs that ended within a period."""

    hours: float = Field(examples=[24.0])
    total: PeriodFigures
    group_by: GroupBy | None
    groups: tuple[GroupFigures, ...] = Field(
        description="At most 1,000 groups, those that used devices most."
    )


class Fleet(_Figures):
    """Figures of the fleet."""

    queues: tuple[QueueFigures, ...]
    processes: tuple[Process, ...] | None = Field(
        description="Worker processes; null while Redis is unreachable."
    )
    unreachable: tuple[str, ...] = Field(
        description="Services whose part of the figures is missing.", examples=[[]]
    )
    throughput: ThroughputFigures


def read_fleet(
    connection: Connection,
    client: redis.Redis | None,
    settings: ServiceSettings,
    *,
    hours: float = DEFAULT_HOURS,
    group_by: GroupBy | None = None,
) -> Fleet:
    """Return the figures of the fleet.

    Args:
        connection: connection in a transaction, as the worker or as the service.
        client: Redis; None where it is not configured.
        settings: settings of the service, of which the queues and the cost are used.
        hours: length of the period.
        group_by: how the figures of the period are divided.
    """
    open_jobs = open_by_tier(connection)
    queues = all_queues(connection, settings.queue.queues)
    running = {job.worker_id: job for job in rows.running_jobs(connection)}
    ended = rows.throughput(connection, hours=hours, group_by=group_by)
    hour_cost = settings.monitoring.device_hour_cost
    processes = None if client is None else _processes(client, running)
    return Fleet(
        queues=tuple(_queue_figures(queue, open_jobs) for queue in queues),
        processes=processes,
        unreachable=("Redis",) if processes is None else (),
        throughput=ThroughputFigures(
            hours=hours,
            total=PeriodFigures(**_period_values(ended.total, hour_cost)),
            group_by=group_by,
            groups=tuple(
                GroupFigures(group=one.group, **_period_values(one, hour_cost))
                for one in ended.groups
            ),
        ),
    )


def _queue_figures(queue: QueueState, open_jobs: Sequence[OpenJobs]) -> QueueFigures:
    mine = [one for one in open_jobs if one.job_type in queue.job_types]
    tiers = sorted({one.tier for one in mine})
    return QueueFigures(
        name=queue.name,
        job_types=queue.job_types,
        paused_at=queue.paused_at,
        tiers=tuple(
            TierFigures(tier=tier, **_open_values([one for one in mine if one.tier == tier]))
            for tier in tiers
        ),
        **_open_values(mine),
    )


def _open_values(jobs: Sequence[OpenJobs]) -> dict[str, Any]:
    queued = [one for one in jobs if one.status == "queued"]
    return {
        "queued": sum(one.jobs for one in queued),
        "running": sum(one.jobs for one in jobs if one.status == "processing"),
        "oldest_queued_s": max((one.oldest_s for one in queued), default=None),
    }


def _processes(
    client: redis.Redis, running: dict[str | None, rows.RunningJob]
) -> tuple[Process, ...] | None:
    """Return the announced processes; None while Redis is unreachable."""
    try:
        found = announced(client)
    except redis.RedisError as error:
        logger.warning("Redis: %s", error)
        return None
    return tuple(
        Process(**one.model_dump(), job=_current_job(running.get(one.id))) for one in found
    )


def _current_job(job: rows.RunningJob | None) -> CurrentJob | None:
    if job is None:
        return None
    return CurrentJob(
        id=job.id,
        job_type=job.job_type,
        attempt=job.attempt,
        stage=job.stage,
        progress=job.progress,
        age_s=job.age_s,
    )


def _period_values(ended: rows.EndedJobs, hour_cost: float | None) -> dict[str, Any]:
    return {
        "completed": ended.completed,
        "failed": ended.failed,
        "canceled": ended.canceled,
        "audio_s": ended.audio_s,
        "device_s": ended.device_s,
        "waiting_s": _percentiles(ended.waiting_s),
        "running_s": _percentiles(ended.running_s),
        "cost": None if hour_cost is None else ended.device_s / _HOUR_S * hour_cost,
    }


def _percentiles(values: Sequence[float] | None) -> Percentiles | None:
    return None if values is None else Percentiles(p50=values[0], p95=values[1])
