"""Paused queues, and the number of jobs that need workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mashup_worker.db.named_sql import select
from mashup_worker.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from mashup_worker.db.database import Connection


@dataclass(frozen=True, kw_only=True)
class QueueState:
    """Whether the jobs of a queue start; `paused_at` is None while they do."""

    name: str
    job_types: tuple[str, ...]
    paused_at: datetime | None = None


def pause(connection: Connection, name: str, queues: Mapping[str, Sequence[str]]) -> QueueState:
    """Start no job of a queue until it is resumed; running jobs continue.

    Waits for claims in flight, so no job starts after the transaction is committed.

    Args:
        connection: connection in a transaction.
        name: queue; a paused one stays paused.
        queues: job types of each queue of the settings.

    Raises:
        NotFound: the settings have no such queue.
    """
    if name not in queues:
        raise _not_found(name, queues)
    [row] = select(connection, "queues.pause", name=name, job_types=list(queues[name]))
    return _state(row)


def resume(connection: Connection, name: str, queues: Mapping[str, Sequence[str]]) -> QueueState:
    """Start the jobs of a queue again, at once where the mirror receives notifications.

    Raises:
        NotFound: the queue is neither paused nor in the settings.
    """
    rows = select(connection, "queues.resume", name=name)
    if not rows and name not in queues:
        raise _not_found(name, queues)
    return QueueState(name=name, job_types=tuple(rows[0]["job_types"] if rows else queues[name]))


def paused(connection: Connection) -> list[QueueState]:
    """Return the paused queues."""
    return [_state(row) for row in select(connection, "queues.paused")]


def all_queues(connection: Connection, queues: Mapping[str, Sequence[str]]) -> list[QueueState]:
    """Return the queues of the settings, and paused ones that the settings lack."""
    states = {name: QueueState(name=name, job_types=tuple(one)) for name, one in queues.items()}
    return list({**states, **{one.name: one for one in paused(connection)}}.values())


def may_start(connection: Connection, job_types: Collection[str]) -> bool:
    """Return whether jobs of these types may start; pausing waits for the transaction's end."""
    [row] = select(connection, "queues.may_start", job_types=list(job_types))
    return bool(row["allowed"])


def open_jobs(connection: Connection, job_types: Collection[str] | None = None) -> int:
    """Return the number of jobs that need workers, of these types or of all."""
    types = None if job_types is None else list(job_types)
    [row] = select(connection, "queues.open_jobs", job_types=types)
    return int(row["jobs"])


def _state(row: Mapping[str, Any]) -> QueueState:
    return QueueState(**{**row, "job_types": tuple(row["job_types"])})


def _not_found(name: str, queues: Mapping[str, Sequence[str]]) -> NotFound:
    return NotFound(f"queue {name}: not found; use one of {', '.join(queues)}")
