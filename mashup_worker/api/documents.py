"""Documents of the API's answers."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from mashup_worker.db.jobs import Status

if TYPE_CHECKING:
    from mashup_worker.db.jobs import Job


class Document(BaseModel):
    """Document of an answer."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)


class JobDocument(Document):
    """Job.

    Attributes:
        progress: percent.
        stage: what a running job does now.
        output_data: result of a completed job; `mashup schema` prints its schema.
        error_code, error_message: reason of a failure.
        retry_of: ended job that this one repeats.
    """

    id: UUID
    user_id: UUID | None
    job_type: str
    status: Status
    progress: int
    stage: str | None
    attempt: int
    input_data: dict[str, Any]
    output_data: dict[str, Any] | None
    error_code: str | None
    error_message: str | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    retry_of: UUID | None

    @classmethod
    def of(cls, job: Job) -> Self:
        """Return the document of a job."""
        return cls.model_validate(job)
