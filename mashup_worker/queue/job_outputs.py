"""Outputs of jobs: `output_data` of `ai_jobs`."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  (pydantic reads annotations at runtime)
from typing import Any
from uuid import UUID  # noqa: TC003  (pydantic reads annotations at runtime)

from pydantic import ConfigDict, Field

from mashup_worker.described import DescribedModel
from mashup_worker.licenses import LicenseClass  # noqa: TC001  (pydantic reads annotations)
from mashup_worker.vocabulary import ExportName, FormatName  # noqa: TC001  (pydantic reads annotations)

_RESULT = "jobs/0b7f4d6c-5c1e-4f0b-b8f5-0d1c0b0a5c3e/1"


class _Trusted(DescribedModel):
    """Value written by a worker."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_serialization_defaults_required=True
    )


class StoredAudio(_Trusted):
    """Audio file in the store.

    Attributes:
        key: object key, which identifies the file.
        url: link to the file, valid until `url_expires_at` if that is set.
        sha256: digest of the file.
        peaks_key: key of the waveform for players, in the JSON of audiowaveform.
    """

    key: str = Field(examples=[f"{_RESULT}/vocals.flac"])
    url: str = Field(examples=[f"https://s3.example.com/songs/{_RESULT}/vocals.flac"])
    url_expires_at: datetime | None
    format: FormatName
    bytes: int = Field(examples=[18_400_210])
    sha256: str = Field(examples=[f"{0xC0FFEE:064x}"])
    duration_s: float = Field(examples=[214.53])
    loudness_lufs: float | None = Field(examples=[-18.2])
    peaks_key: str = Field(examples=[f"{_RESULT}/vocals.peaks.json"])
    peaks_url: str = Field(examples=[f"https://s3.example.com/songs/{_RESULT}/vocals.peaks.json"])


class StemOutput(StoredAudio):
    """Stem in the store."""

    kind: str = Field(examples=["vocals"])


class ModelLicense(_Trusted):
    """License of the weights of a model.

    Attributes:
        id: SPDX id, a word such as `scientific-only`, or the text of who added the model.
        license_class: whether a business may use the weights.
        statement: who said what.
        source: address of the statement; empty if unknown.
        stated_on: date of the statement, or its first part; empty if unknown.
        note: remark, such as an open question.
    """

    id: str = Field(examples=["MIT"])
    license_class: LicenseClass
    statement: str = Field(examples=["Kimberley Jensen, its author, in the model card: MIT"])
    source: str = Field(examples=["https://huggingface.co/KimberleyJSN/melbandroformer"])
    stated_on: str = Field(examples=["2026-07-17"])
    note: str = Field(examples=[""])


class ModelOutput(_Trusted):
    """Model that separated a song, and its device.

    Attributes:
        license: null for jobs of older releases.
        weights_sha256: digest of weights that were added to the cache; null for weights that the
            name identifies.
    """

    name: str = Field(examples=["htdemucs"])
    device: str = Field(examples=["cuda:0"])
    precision: str = Field(examples=["float32"])
    license: ModelLicense | None = None
    weights_sha256: str | None = None


class LicensedModel(_Trusted):
    """Model that separated a stem, and the id and class of its license."""

    name: str = Field(examples=["htdemucs"])
    license: str = Field(examples=["scientific-only"])
    license_class: LicenseClass


class StemUsed(_Trusted):
    """Stem in a mashup; `stem_id` is set for stems of the registry.

    Attributes:
        model: model that separated it; null if unknown, and for whole songs.
    """

    stem_id: UUID | None
    kind: str = Field(examples=["vocals"])
    song: str = Field(examples=["night"])
    model: LicensedModel | None = None


class ExportOutput(_Trusted):
    """File for DJ programs and DAWs; several files of a format are one ZIP.

    Attributes:
        url: link to the file, valid until `url_expires_at` if that is set.
        sha256: digest of the file.
    """

    format: ExportName
    key: str = Field(examples=[f"{_RESULT}/export-dawproject.dawproject"])
    url: str = Field(
        examples=[f"https://s3.example.com/songs/{_RESULT}/export-dawproject.dawproject"]
    )
    url_expires_at: datetime | None
    bytes: int = Field(examples=[92_400_210])
    sha256: str = Field(examples=[f"{0xC0FFEE:064x}"])


class JobOutput(_Trusted):
    """Output of a job.

    Attributes:
        timings_s: seconds per stage; `device` is the part that occupied the device.
        warnings: remarks about the input, then about the result.
        reused_job_id: earlier job whose results were copied.
        exports: files of the formats that `export` names; `warnings` name those that failed.
    """

    timings_s: dict[str, float]
    warnings: tuple[str, ...] = ()
    reused_job_id: UUID | None = None
    exports: tuple[ExportOutput, ...] = ()


class SeparateOutput(JobOutput):
    """Stems and analysis of a song."""

    stems: tuple[StemOutput, ...]
    analysis: dict[str, Any] | None
    model: ModelOutput


class AnalyzeOutput(JobOutput):
    """Analysis of a song."""

    analysis: dict[str, Any]


class MashupOutput(JobOutput):
    """Mashup with its plan and its measurements.

    Attributes:
        unmastered: the mashup before mastering, in FLAC; null for jobs of older releases. The
            difference of `loudness_lufs` is the gain at which both are equally loud.
        model: model that separated whole songs; null without one.
        passed: whether every measurement that is judged is within its limit; null for jobs of older
            releases. Each miss is a warning.
    """

    audio: StoredAudio
    unmastered: StoredAudio | None = None
    stems_used: tuple[StemUsed, ...]
    model: ModelOutput | None = None
    plan: dict[str, Any]
    report: dict[str, Any]
    passed: bool | None = None
    analysis: dict[str, Any]


class MasterOutput(JobOutput):
    """Mastered file with its measurements."""

    audio: StoredAudio
    report: dict[str, Any]
