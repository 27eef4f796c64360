"""Types of parameters."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Path
from pydantic import BeforeValidator


def _not_a_number(value: str) -> str:
    """Refuse seconds since 1970, which pydantic accepts and the OpenAPI document excludes."""
    try:
        float(value)
    except ValueError:
        return value
    raise ValueError("not a time such as 2026-05-04T12:00:00Z")


Time = Annotated[datetime, BeforeValidator(_not_a_number)]

JobId = Annotated[UUID, Path(description="Id of a job.")]
StemId = Annotated[UUID, Path(description="Id of a stem.")]
MashupId = Annotated[UUID, Path(description="Id of a mashup.")]

PredictionId = Annotated[
    str, Path(description="Id of a prediction.", examples=["qb5vxjsq7nf2hfzvgj4yxrgxem"])
]
FileId = Annotated[str, Path(description="Id of a file.", examples=["mfzwi3dboj2ho2lonfxg4zlsme"])]
Owner = Annotated[str, Path(description="Owner of a hosted model.", examples=["ryan5453"])]
Name = Annotated[str, Path(description="Name of a hosted model.", examples=["demucs"])]
VersionId = Annotated[str, Path(description="Id of a version of the model.")]
