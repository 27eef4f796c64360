"""Status of jobs in Redis, for cheap polling. Redis may lose it at any time.

`ai_jobs:<id>` is a hash of `status`, `stage`, `progress`, `attempt`, `error_code`, `error_message`,
`output_data` (JSON, once completed) and `updated_at`. Changes are published as JSON, without the
output, on the channel `ai_jobs`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mashup_worker.db.jobs import TERMINAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis import Redis

    from mashup_worker.db.jobs import Job

CHANNEL = "ai_jobs"

_OPEN_TTL_S = 7 * 86_400
_ENDED_TTL_S = 86_400
_QUEUED_AGAIN, _ENDED = 1_000, 2_000
"""Sequence numbers after those of a running attempt, which are its percent."""

_WRITE = """
local attempt = tonumber(redis.call('HGET', KEYS[1], 'attempt') or '-1')
local sequence = tonumber(redis.call('HGET', KEYS[1], 'sequence') or '-1')
local new_attempt, new_sequence = tonumber(ARGV[1]), tonumber(ARGV[2])
if new_attempt < attempt or (new_attempt == attempt and new_sequence < sequence) then
  return 0
end
local published = redis.call('HGET', KEYS[1], 'published')
redis.call('HSET', KEYS[1], 'attempt', ARGV[1], 'sequence', ARGV[2], 'published', ARGV[4],
  unpack(ARGV, 6))
redis.call('EXPIRE', KEYS[1], ARGV[3])
if published ~= ARGV[4] then
  redis.call('PUBLISH', ARGV[5], ARGV[4])
end
return 1
"""
"""Script that ignores a write with an older attempt, or with an older sequence of the attempt."""


@dataclass(frozen=True, kw_only=True)
class StatusView:
    """Status of a job as Redis holds it.

    Attributes:
        output: `output_data` as JSON; None before completion.
        updated_at: time of the change in Postgres, as ISO 8601; empty for a worker's progress.
    """

    id: UUID
    attempt: int
    status: str
    progress: int
    stage: str | None
    error_code: str | None = None
    error_message: str | None = None
    output: str | None = None
    updated_at: str = ""

    @classmethod
    def from_job(cls, job: Job) -> StatusView:
        """Return the status of a job."""
        output = None if job.output_data is None else json.dumps(job.output_data)
        return cls.from_row({**vars(job), "output": output})

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> StatusView:
        """Return the status in a row of `changed_since` or `still_open`."""
        same = ("id", "attempt", "status", "stage", "error_code", "error_message", "output")
        return cls(
            progress=row["progress"] or 0,
            updated_at=row["updated_at"].isoformat(),
            **{name: row[name] for name in same},
        )

    @classmethod
    def from_published(cls, message: str | bytes) -> StatusView:
        """Return the status in a message for subscribers."""
        fields = json.loads(message)
        return cls(**{**fields, "id": UUID(fields["id"])})

    @property
    def sequence(self) -> int:
        """Number that grows within an attempt: percent while running, queued again, ended.

        It follows from the row, so all writers agree on it.
        """
        if self.status in TERMINAL:
            return _ENDED
        return _QUEUED_AGAIN if self.status == "queued" else self.progress

    @property
    def order(self) -> tuple[int, int]:
        """Attempt and sequence; a state with a greater one is newer."""
        return self.attempt, self.sequence

    def published(self) -> str:
        """Return the message for subscribers."""
        fields = ("attempt", "status", "stage", "progress", "error_code", "error_message")
        return json.dumps({"id": str(self.id), **{name: getattr(self, name) for name in fields}})


def write_status(redis: Redis, view: StatusView) -> bool:
    """Write a status; return False if Redis holds a newer one.

    Raises:
        redis.RedisError: Redis is unreachable or refuses.
    """
    fields: dict[str, str | int] = {
        "status": view.status,
        "stage": view.stage or "",
        "progress": view.progress,
        "error_code": view.error_code or "",
        "error_message": view.error_message or "",
        "updated_at": view.updated_at,
    }
    if view.output is not None:
        fields["output_data"] = view.output
    flat = [part for pair in fields.items() for part in pair]
    ttl_s = _ENDED_TTL_S if view.status in TERMINAL else _OPEN_TTL_S
    written = redis.register_script(_WRITE)(
        keys=[status_key(view.id)],
        args=[view.attempt, view.sequence, ttl_s, view.published(), CHANNEL, *flat],
    )
    return bool(written)


def status_key(job_id: UUID) -> str:
    """Return the key of a job's hash."""
    return f"ai_jobs:{job_id}"
