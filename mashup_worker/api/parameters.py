"""Parameters in the paths of several routes."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Path

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
