"""The status of jobs in Redis, for cheap polling: a mirror that may vanish at any moment.

`ai_jobs:<id>` is a hash of `status`, `stage`, `progress`, `attempt`, `error_code`, `error_message`,
`output_data` (JSON, once completed) and `updated_at`. Changes are published, as JSON without the
output, on the channel `ai_jobs`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mashup_worker.db.jobs import TERMINAL

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from redis import Redis

    from mashup_worker.db.jobs import Job

CHANNEL = "ai_jobs"

_OPEN_TTL_S = 7 * 86_400
_ENDED_TTL_S = 86_400
_AFTER_RUNNING, _ENDED = 1_000, 2_000

_WRITE = """
local attempt = tonumber(redis.call('HGET', KEYS[1], 'attempt') or '-1')
local sequence = tonumber(redis.call('HGET', KEYS[1], 'sequence') or '-1')
local new_attempt, new_sequence = tonumber(ARGV[1]), tonumber(ARGV[2])
if new_attempt < attempt or (new_attempt == attempt and new_sequence < sequence) then
  return 0
end
local said = redis.call('HGET', KEYS[1], 'said')
redis.call('HSET', KEYS[1], 'attempt', ARGV[1], 'sequence', ARGV[2], 'said', ARGV[4],
  unpack(ARGV, 6))
redis.call('EXPIRE', KEYS[1], ARGV[3])
if said ~= ARGV[4] then
  redis.call('PUBLISH', ARGV[5], ARGV[4])
end
return 1
"""
"""A write with an older attempt, or an older sequence within it, loses."""


@dataclass(frozen=True)
class StatusView:
    """What Redis tells of a job.

    Attributes:
        output: `output_data` as JSON; None where there is none yet.
        updated_at: when Postgres, or the worker between two writes to it, saw this; ISO 8601.
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
    def of(cls, job: Job) -> StatusView:
        """What a row says."""
        return cls(
            id=job.id,
            attempt=job.attempt,
            status=job.status,
            progress=job.progress or 0,
            stage=job.stage,
            error_code=job.error_code,
            error_message=job.error_message,
            output=None if job.output_data is None else json.dumps(job.output_data),
            updated_at=job.updated_at.isoformat(),
        )

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> StatusView:
        """What a row of `changed_since` or `still_open` says."""
        return cls(
            id=row["id"],
            attempt=row["attempt"],
            status=row["status"],
            progress=row["progress"] or 0,
            stage=row["stage"],
            error_code=row["error_code"],
            error_message=row["error_message"],
            output=row["output"],
            updated_at=row["updated_at"].isoformat(),
        )

    @property
    def sequence(self) -> int:
        """Rises with whatever can happen within an attempt: running, waiting again, ended.

        It follows from the row alone, so everybody who tells of a job agrees on it.
        """
        if self.status in TERMINAL:
            return _ENDED
        return _AFTER_RUNNING if self.status == "queued" else self.progress


class StatusMirror:
    """Writes the status of jobs to Redis."""

    def __init__(self, redis: Redis) -> None:
        self._write = redis.register_script(_WRITE)

    def write(self, view: StatusView) -> bool:
        """Tell of a job; whether that was news or at least not old.

        Raises:
            redis.RedisError: Redis does not take it.
        """
        told = {
            "id": str(view.id),
            "attempt": view.attempt,
            "status": view.status,
            "stage": view.stage,
            "progress": view.progress,
            "error_code": view.error_code,
            "error_message": view.error_message,
        }
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
        written = self._write(
            keys=[key_of(view.id)],
            args=[view.attempt, view.sequence, ttl_s, json.dumps(told), CHANNEL, *flat],
        )
        return bool(written)


def key_of(job_id: UUID) -> str:
    """The hash that tells of a job."""
    return f"ai_jobs:{job_id}"
