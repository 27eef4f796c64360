"""Fleet: its figures, and pausing of its queues."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Self

from fastapi import APIRouter, Path, Query
from pydantic import Field

from mashup_worker.api.context import Context, Operator
from mashup_worker.api.documents import Document
from mashup_worker.db import queues
from mashup_worker.db.fleet import GroupBy
from mashup_worker.monitoring.fleet import DEFAULT_HOURS, MAX_HOURS, Fleet, read_fleet

if TYPE_CHECKING:
    from mashup_worker.db.queues import QueueState

router = APIRouter(prefix="/fleet", tags=["fleet"])

QueueName = Annotated[str, Path(description="Name of a queue.", examples=["gpu"])]


class QueueDocument(Document):
    """Queue, and whether its jobs start."""

    name: str = Field(examples=["gpu"])
    job_types: tuple[str, ...] = Field(examples=[["separate", "analyze", "mashup", "master"]])
    paused_at: datetime | None = Field(
        description="Time since which no job starts; null if jobs do.", examples=[None]
    )

    @classmethod
    def of(cls, queue: QueueState) -> Self:
        """Return the document of a queue."""
        return cls.model_validate(queue)


@router.get("")
def get_fleet(
    context: Context,
    caller: Operator,
    hours: Annotated[
        float, Query(gt=0, le=MAX_HOURS, description="Length of the period of `throughput`.")
    ] = DEFAULT_HOURS,
    group_by: Annotated[
        GroupBy | None, Query(description="How the figures of the period are divided.")
    ] = None,
) -> Fleet:
    """Return queues, worker processes, throughput and cost."""
    with context.transaction(caller) as connection:
        return read_fleet(
            connection, context.redis, context.settings, hours=hours, group_by=group_by
        )


@router.post("/queues/{name}/pause")
def pause_queue(name: QueueName, context: Context, caller: Operator) -> QueueDocument:
    """Start no job of a queue until it is resumed; running jobs continue."""
    with context.transaction(caller) as connection:
        paused = queues.pause(connection, name, context.settings.queue.queues)
    return QueueDocument.of(paused)


@router.post("/queues/{name}/resume")
def resume_queue(name: QueueName, context: Context, caller: Operator) -> QueueDocument:
    """Start the jobs of a queue again."""
    with context.transaction(caller) as connection:
        resumed = queues.resume(connection, name, context.settings.queue.queues)
    return QueueDocument.of(resumed)
