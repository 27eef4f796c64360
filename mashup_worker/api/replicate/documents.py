"""Documents of Replicate's API."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError

from mashup_worker.api.documents import Document
from mashup_worker.api.replicate.file_keys import FileKey
from mashup_worker.api.replicate.ids import short_id
from mashup_worker.api.replicate.logs import logs_of
from mashup_worker.api.replicate.versions import COG_VERSION, HostedVersion, version_of_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mashup_worker.api.replicate.hosted import HostedInput
    from mashup_worker.db.jobs import Job, Status

    LinkOf = Callable[[str, str], str]
    """Returns a link to an object of the store by its key and by the file name for the link."""

PredictionStatus = Literal["starting", "processing", "succeeded", "failed", "canceled"]

_URL = "https://api.example.com/v1/predictions/qb5vxjsq7nf2hfzvgj4yxrgxem"
_VERSION = "5a7041cc9b82e5a558fea6b3d7b12dea89625e89da33f0447bd727c2d0ab9e77"

_STATUSES: Mapping[Status, PredictionStatus] = {
    "queued": "starting",
    "processing": "processing",
    "completed": "succeeded",
    "failed": "failed",
    "canceled": "canceled",
}


class PredictionUrls(Document):
    """Addresses of a prediction.

    Attributes:
        web: its song in the studio.
    """

    get: str = Field(examples=[_URL])
    cancel: str = Field(examples=[f"{_URL}/cancel"])
    web: str = Field(
        examples=["https://api.example.com/studio/songs/0b7f4d6c-5c1e-4f0b-b8f5-0d1c0b0a5c3e"]
    )


class Metrics(Document):
    """Seconds of a finished prediction: of its run, and from its creation to its end."""

    predict_time: float | None = Field(default=None, examples=[4.1])
    total_time: float | None = Field(default=None, examples=[4.8])


class Prediction(Document):
    """Separation of a song, in the form of Replicate.

    Attributes:
        id: id of the job as base32.
        version: id of the version that was asked for.
        input: known keys of the input; a song that came as a data URL is an uploaded file.
        output: links to the stems, in the form of the version.
        logs: remarks about the input, and a line of progress in the form of tqdm.
        deadline: time of cancellation, by the header `Cancel-After`.
    """

    id: str = Field(examples=["qb5vxjsq7nf2hfzvgj4yxrgxem"])
    model: str = Field(examples=["ryan5453/demucs"])
    version: str = Field(examples=[_VERSION])
    input: dict[str, Any]
    output: dict[str, str | None] | None
    logs: str = Field(examples=["100%|██████████| 100/100\n"])
    error: str | None = Field(examples=[None])
    status: PredictionStatus
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    deadline: datetime | None
    data_removed: bool = False
    source: Literal["api"] = "api"
    metrics: Metrics
    urls: PredictionUrls


class Page(Document):
    """Page of a list; `next` is the address of the next page."""

    previous: str | None = Field(default=None, examples=[None])
    next: str | None = Field(
        default=None, examples=["https://api.example.com/v1/predictions?cursor=WyIyMDI2LTA1"]
    )


class PredictionPage(Page):
    """Predictions of the caller, newest first."""

    results: list[Prediction]


class Version(Document):
    """Version of a hosted model, with the schema of its input and output."""

    id: str = Field(examples=[_VERSION])
    created_at: datetime
    cog_version: str = Field(examples=[COG_VERSION])
    openapi_schema: dict[str, Any]

    @classmethod
    def of(cls, version: HostedVersion, default_model: str) -> Version:
        """Return the document of a version."""
        return cls(
            id=version.id,
            created_at=version.created_at,
            cog_version=COG_VERSION,
            openapi_schema=version.openapi_schema(default_model),
        )


class VersionPage(Page):
    """Versions of a model."""

    results: list[Version]


class Model(Document):
    """Hosted model that this service stands in for.

    Attributes:
        license_url: statement on the license of the service's model; null if unknown.
        github_url, paper_url, cover_image_url, default_example: always null.
    """

    url: str = Field(examples=["https://api.example.com/v1/models/ryan5453/demucs"])
    owner: str = Field(examples=["ryan5453"])
    name: str = Field(examples=["demucs"])
    description: str = Field(examples=["Separation of songs into stems"])
    visibility: Literal["public", "private"] = "public"
    github_url: str | None = None
    paper_url: str | None = None
    license_url: str | None = None
    run_count: int = 0
    cover_image_url: str | None = None
    default_example: None = None
    latest_version: Version


class ModelPage(Page):
    """Hosted models that this service stands in for."""

    results: list[Model]


class FileUrls(Document):
    """Address of a file, which the input of a prediction may name."""

    get: str = Field(examples=["https://api.example.com/v1/files/mfzwi3dboj2ho2lonfxg4zlsme"])


class File(Document):
    """Uploaded file.

    Attributes:
        metadata: always empty.
        expires_at: always null, as files stay until they are deleted.
    """

    id: str = Field(examples=["mfzwi3dboj2ho2lonfxg4zlsme"])
    name: str = Field(examples=["song.mp3"])
    content_type: str = Field(examples=["audio/mpeg"])
    size: int = Field(examples=[4_812_345])
    etag: str = Field(examples=["5d41402abc4b2a76b9719d911017c592"])
    checksums: dict[str, str]
    metadata: dict[str, Any]
    created_at: datetime
    expires_at: datetime | None = None
    urls: FileUrls


class FilePage(Page):
    """Files of the caller, newest first."""

    results: list[File]


class WebhookSecret(Document):
    """Secret with which webhooks are signed."""

    key: str = Field(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])


def prediction_of(job: Job, *, url: str, link: LinkOf) -> Prediction | None:
    """Return the prediction of a job; None for a job that is none.

    Args:
        job: job, as it is or was.
        url: public address of the API.
        link: makes the links of the output.
    """
    asked = _asked(job)
    if asked is None:
        return None
    version, options = asked
    short = short_id(job.id)
    here = f"{url}/v1/predictions/{short}"
    ended, waiting = job.is_terminal, job.status == "queued"
    return Prediction(
        id=short,
        model=version.model,
        version=version.id,
        input={
            "audio": _shown_audio(job.input_data["audio"], url),
            **options.model_dump(by_alias=True, exclude_unset=True),
        },
        output=_output(job, options, link),
        logs=logs_of(job, options.notes()),
        error=job.error_message if job.status == "failed" else None,
        status=_STATUSES[job.status],
        created_at=job.created_at,
        started_at=None if waiting else job.started_at,
        completed_at=job.completed_at,
        deadline=job.deadline,
        metrics=_metrics(job) if ended else Metrics(),
        urls=PredictionUrls(get=here, cancel=f"{here}/cancel", web=f"{url}/studio/songs/{job.id}"),
    )


def _asked(job: Job) -> tuple[HostedVersion, HostedInput] | None:
    """Return version and input of a prediction; None for jobs that are none.

    Users may write any `prediction` into rows of their own.
    """
    document = job.input_data
    found = document.get("prediction") if isinstance(document, dict) else None
    if job.job_type != "separate" or not isinstance(found, dict):
        return None
    version = version_of_id(str(found.get("version")))
    if version is None or not isinstance(document.get("audio"), str):
        return None
    try:
        return version, version.input.model_validate(found.get("input"))
    except ValidationError:
        return None


def _shown_audio(audio: str, url: str) -> str:
    """Return the address of the song, never one that needs no token: users name any key here."""
    key = FileKey.read(audio)
    return audio if key is None else key.url(url)


def _output(job: Job, options: HostedInput, link: LinkOf) -> dict[str, str | None] | None:
    if job.status != "completed" or not isinstance(job.output_data, dict):
        return None
    return options.output(
        {
            stem["kind"]: link(stem["key"], f"{stem['kind']}.{stem['format']}")
            for stem in job.output_data.get("stems", ())
        }
    )


def _metrics(job: Job) -> Metrics:
    if job.completed_at is None:
        return Metrics()
    ran_s = None if job.started_at is None else (job.completed_at - job.started_at).total_seconds()
    return Metrics(
        predict_time=ran_s, total_time=(job.completed_at - job.created_at).total_seconds()
    )
