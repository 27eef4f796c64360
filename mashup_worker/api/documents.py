"""Documents of the API's answers."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Self
from uuid import UUID

from pydantic import BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, TypeAdapter

from mashup_worker.db.jobs import Status
from mashup_worker.described import DescribedModel
from mashup_worker.queue.job_outputs import (
    AnalyzeOutput,
    MashupOutput,
    MasterOutput,
    SeparateOutput,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

    from mashup_worker.db.jobs import Job


_Output = SeparateOutput | AnalyzeOutput | MashupOutput | MasterOutput | None


class _SchemaOf:
    """Annotation of a type that is described as another one."""

    def __init__(self, kind: Any) -> None:
        self._schema = TypeAdapter(kind).core_schema

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(self._schema)


class Document(DescribedModel):
    """Document of an answer."""

    model_config = ConfigDict(
        extra="forbid", from_attributes=True, json_schema_serialization_defaults_required=True
    )


class JobCreated(Document):
    """Job that was created; its address is in the header `Location`."""

    job_id: UUID = Field(serialization_alias="jobId", description="Id of the job.")


class JobSummary(Document):
    """State of a job.

    Attributes:
        attempt: number of times that the job was started.
        progress: percent.
        stage: what a running job does now.
        error_code, error_message: reason of a failure, or of the last failed attempt.
        cancel_requested_at: time at which the user canceled the job, which a running job obeys
            within seconds.
        retry_of: ended job that this one repeats.
    """

    id: UUID
    user_id: UUID | None
    job_type: str = Field(examples=["separate"])
    status: Status
    progress: Annotated[int, BeforeValidator(lambda percent: percent or 0)] = Field(examples=[45])
    stage: str | None = Field(examples=["separate"])
    attempt: int = Field(examples=[1])
    error_code: str | None = Field(examples=[None, "fetch_failed"])
    error_message: str | None = Field(examples=[None])
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    cancel_requested_at: datetime | None
    retry_of: UUID | None = Field(examples=[None])


class JobDocument(JobSummary):
    """Job with its input and result.

    Attributes:
        input_data: input; `mashup schema` prints its schema for each job type.
        output_data: result of a completed job.
    """

    # SQL users may insert other values, for which the job fails.
    input_data: Annotated[
        dict[str, Any], BeforeValidator(lambda value: value if isinstance(value, dict) else {})
    ] = Field(examples=[{"audio": "uploads/8c…/song.mp3"}])
    output_data: Annotated[dict[str, Any] | None, _SchemaOf(_Output)]

    @classmethod
    def of(cls, job: Job) -> Self:
        """Return the document of a job."""
        return cls.model_validate(job)

    @staticmethod
    def json_of(row: Mapping[str, Any]) -> str:
        """Return the JSON of a row of `jobs.shown`; results are not parsed, as they are large."""
        fields = dict(row)
        given, result = fields.pop("input_data"), fields.pop("output_data") or "null"
        summary = JobSummary.model_validate(fields).model_dump_json()
        return f'{summary[:-1]},"input_data":{given},"output_data":{result}}}'


class JobEvent(Document):
    """State of a job at one moment.

    Attributes:
        progress: percent; it starts again with each attempt.
        stage: what a running job does now.
        error_code, error_message: reason of a failure, or of the last failed attempt.
    """

    status: Status
    stage: str | None = Field(examples=["separate"])
    progress: int = Field(examples=[45])
    attempt: int = Field(examples=[1])
    error_code: str | None = Field(examples=[None])
    error_message: str | None = Field(examples=[None])
