"""Inputs of jobs in the bodies of requests."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from fastapi import Header
from pydantic import BeforeValidator, Field

from mashup_worker.described import DescribedModel
from mashup_worker.queue.job_inputs import (
    AnalyzeInput,
    JobInput,
    MashupInput,
    MasterInput,
    SeparateInput,
)

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        description="Key of this work, chosen by the client. A repeated request with the same key "
        "returns the job of the first.",
        examples=["0b7f4d6c-monday"],
    ),
]


def _from_json(model: type[JobInput]) -> BeforeValidator:
    """Return a validator that reads a document as JSON.

    Inputs are strict, and strict Python has no list that becomes a tuple, or string that becomes an
    id.
    """

    def read(document: object) -> object:
        if not isinstance(document, dict):
            return document
        try:
            return model.model_validate_json(json.dumps(document))
        except RecursionError:
            raise ValueError("nested too deeply") from None

    return BeforeValidator(read)


SeparateBody = Annotated[SeparateInput, _from_json(SeparateInput)]
MashupBody = Annotated[MashupInput, _from_json(MashupInput)]


class SeparateJob(DescribedModel):
    """Separation to create."""

    job_type: Literal["separate"]
    input: SeparateBody


class AnalyzeJob(DescribedModel):
    """Analysis to create."""

    job_type: Literal["analyze"]
    input: Annotated[AnalyzeInput, _from_json(AnalyzeInput)]


class MashupJob(DescribedModel):
    """Mashup to create."""

    job_type: Literal["mashup"]
    input: MashupBody


class MasterJob(DescribedModel):
    """Mastering to create."""

    job_type: Literal["master"]
    input: Annotated[MasterInput, _from_json(MasterInput)]


NewJob = Annotated[
    SeparateJob | AnalyzeJob | MashupJob | MasterJob, Field(discriminator="job_type")
]
