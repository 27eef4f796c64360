"""What jobs are given and what they give back: `input_data` and `output_data` of `ai_jobs`.

Keys that a contract does not know are ignored, and told as a warning. A wrong value fails the job
with `invalid_input`, and the message names the field.
"""

from __future__ import annotations

import json
import re
from datetime import datetime  # noqa: TC003  (pydantic reads annotations when it runs)
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from mashup_worker.db.database import UnreadableJson
from mashup_worker.errors import InvalidInput
from mashup_worker.vocabulary import FormatName, JobType  # noqa: TC001

StemKind = Annotated[
    str,
    Field(pattern=r"^(no_)?(vocals|drums|bass|other|guitar|piano|mix)$"),
]
Address = Annotated[str, Field(min_length=1, max_length=4_096)]
"""Where sound lies: an https URL, `s3://bucket/key`, or a key of our own storage."""

MusicalKey = Annotated[str, Field(pattern=r"^[A-G](#|b)? (major|minor)$")]


_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def _plain_id(value: object) -> object:
    """An id as Postgres reads it too; Python takes `urn:uuid:…` and braces besides."""
    if isinstance(value, str) and not _ID.fullmatch(value):
        raise ValueError("not a UUID")
    return value


Id = Annotated[UUID, BeforeValidator(_plain_id)]


class _Given(BaseModel):
    """A value that somebody else wrote: unknown keys are left out, known ones must be right."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, strict=True)


class _Made(BaseModel):
    """A value that we write."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SeparateInput(_Given):
    """A song to split into stems.

    Attributes:
        audio: the song.
        mashup_id: the mashup whose stems these become.
        model: which network; the worker's own choice when absent.
        stems: which stems; all of the model's when absent.
        format: how the stems are written.
        analyze: whether tempo, beats, key and loudness are found too.
    """

    audio: Address
    mashup_id: Id | None = None
    model: Annotated[str, Field(pattern=r"^[\w.-]{1,64}$")] | None = None
    stems: Annotated[tuple[StemKind, ...], Field(min_length=1, max_length=12)] | None = None
    format: FormatName = "flac"
    analyze: bool = True


class AnalyzeInput(_Given):
    """A song to analyse, whole or in stems.

    Attributes:
        audio: the whole song.
        stems: its stems by kind, instead.
    """

    audio: Address | None = None
    stems: Annotated[dict[StemKind, Address], Field(min_length=1, max_length=12)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> AnalyzeInput:
        if (self.audio is None) == (self.stems is None):
            raise ValueError("give either audio or stems")
        return self


class StemInput(_Given):
    """A stem of a mashup.

    Attributes:
        stem_id: a stem of the registry.
        audio: a file instead.
        kind: what it is; `mix` for a whole song.
        song: what its song is called; stems with the same word belong together. Without one, a
            stem of the registry belongs to the song that it was made from, and a file to a song of
            its own.
    """

    stem_id: Id | None = None
    audio: Address | None = None
    kind: StemKind
    song: Annotated[str, Field(min_length=1, max_length=200)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> StemInput:
        if (self.audio is None) == (self.stem_id is None):
            raise ValueError("give either stem_id or audio")
        return self


class MashupConfig(_Given):
    """How a mashup should be.

    Attributes:
        vibe: its character.
        intensity: 0 for calm to 1 for full on.
        transition: how one song gives way to the next; the vibe's own when absent.
        tempo_bpm, key: of the result; whatever needs least change when absent.
        length_s: about how long it should be.
        loudness_lufs: integrated loudness; the vibe's own when absent.
        seed: what chance decides by.
    """

    vibe: Literal["club", "chill", "lofi", "hype", "ambient"] = "club"
    intensity: Annotated[float, Field(ge=0, le=1)] = 0.5
    transition: Literal["crossfade", "bass_swap", "filter_sweep", "cut"] | None = None
    tempo_bpm: Annotated[float, Field(ge=30, le=300)] | None = None
    key: MusicalKey | None = None
    length_s: Annotated[float, Field(ge=4, le=1_200)] | None = None
    loudness_lufs: Annotated[float, Field(ge=-36, le=-5)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0


class MashupInput(_Given):
    """A mashup to make.

    Attributes:
        stems: what it is made of.
        config: how it should be.
        format: how it is written.
        mashup_id: the mashup that it becomes; its stems are credited at once.
    """

    stems: Annotated[tuple[StemInput, ...], Field(min_length=1, max_length=32)]
    config: MashupConfig = MashupConfig()
    format: FormatName = "mp3"
    mashup_id: Id | None = None


class MasterInput(_Given):
    """A mix to master.

    Attributes:
        audio: the mix.
        loudness_lufs: integrated loudness of the result.
        true_peak_dbtp: highest true peak of the result when it is played.
        format: how it is written.
    """

    audio: Address
    loudness_lufs: Annotated[float, Field(ge=-36, le=-5)] = -14.0
    true_peak_dbtp: Annotated[float, Field(ge=-9, le=0)] = -1.0
    format: FormatName = "mp3"


JobInput = SeparateInput | AnalyzeInput | MashupInput | MasterInput


class StoredAudio(_Made):
    """A file in the store.

    Attributes:
        key: its place, which is the truth.
        url: a link to it, until `url_expires_at` where that is set.
        sha256: digest of its bytes.
        peaks_key: place of its waveform for players, in audiowaveform's JSON.
    """

    key: str
    url: str
    url_expires_at: datetime | None
    format: FormatName
    bytes: int
    sha256: str
    duration_s: float
    loudness_lufs: float | None
    peaks_key: str
    peaks_url: str


class StemOutput(StoredAudio):
    """A stem in the store."""

    kind: str


class ModelOutput(_Made):
    """What did the work."""

    name: str
    device: str
    precision: str


class StemUsed(_Made):
    """A stem that a mashup was made of; `stem_id` where it came from the registry."""

    stem_id: UUID | None
    kind: str
    song: str


class SeparateOutput(_Made):
    """Stems, and what is known of the song."""

    stems: tuple[StemOutput, ...]
    analysis: dict[str, Any] | None
    model: ModelOutput
    timings_s: dict[str, float]
    warnings: tuple[str, ...] = ()
    reused_job_id: UUID | None = None


class AnalyzeOutput(_Made):
    """What is known of a song."""

    analysis: dict[str, Any]
    timings_s: dict[str, float]
    warnings: tuple[str, ...] = ()
    reused_job_id: UUID | None = None


class MashupOutput(_Made):
    """A mashup, how it was planned, and what was measured of it."""

    audio: StoredAudio
    stems_used: tuple[StemUsed, ...]
    plan: dict[str, Any]
    report: dict[str, Any]
    analysis: dict[str, Any]
    timings_s: dict[str, float]
    warnings: tuple[str, ...] = ()
    reused_job_id: UUID | None = None


class MasterOutput(_Made):
    """A mastered file, and what was measured of it."""

    audio: StoredAudio
    report: dict[str, Any]
    timings_s: dict[str, float]
    warnings: tuple[str, ...] = ()
    reused_job_id: UUID | None = None


JobOutput = SeparateOutput | AnalyzeOutput | MashupOutput | MasterOutput

INPUTS: dict[JobType, type[JobInput]] = {
    "separate": SeparateInput,
    "analyze": AnalyzeInput,
    "mashup": MashupInput,
    "master": MasterInput,
}
OUTPUTS: dict[JobType, type[JobOutput]] = {
    "separate": SeparateOutput,
    "analyze": AnalyzeOutput,
    "mashup": MashupOutput,
    "master": MasterOutput,
}


def read_input(job_type: str, document: object) -> tuple[JobInput, tuple[str, ...]]:
    """A job's input, and warnings of keys that mean nothing.

    Raises:
        InvalidInput: an unknown type, or a value that makes no sense; the message names the field.
    """
    contract = INPUTS.get(job_type)  # type: ignore[call-overload]
    if contract is None:
        raise InvalidInput(f"job_type {job_type!r}: one of {', '.join(INPUTS)}")
    if not isinstance(document, dict):
        why = f": {document.reason}" if isinstance(document, UnreadableJson) else ""
        raise InvalidInput(f"input_data: it must be an object{why}")
    try:
        # As JSON, so that lists are tuples and texts are ids, while "12" is no number.
        request: JobInput = contract.model_validate_json(json.dumps(document))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(["input_data", *(str(step) for step in first["loc"])])
        reason = first["msg"].removeprefix("Value error, ")
        raise InvalidInput(f"{where}: {reason}") from error
    unknown = _unknown_keys(document, request)
    return request, tuple(f"input_data.{key} means nothing, and was ignored" for key in unknown)


def _unknown_keys(document: dict[str, Any], model: BaseModel, before: str = "") -> list[str]:
    """Paths of keys in the document that its contract does not have."""
    found = []
    for key, value in document.items():
        if key not in type(model).model_fields:
            found.append(before + key)
            continue
        known = getattr(model, key)
        if isinstance(known, BaseModel) and isinstance(value, dict):
            found += _unknown_keys(value, known, f"{before}{key}.")
        elif isinstance(known, tuple) and isinstance(value, list):
            for index, (one, part) in enumerate(zip(value, known, strict=True)):
                if isinstance(part, BaseModel) and isinstance(one, dict):
                    found += _unknown_keys(one, part, f"{before}{key}.{index}.")
    return found


def schemas() -> dict[str, Any]:
    """JSON Schema of every job's input and output."""
    return {
        job_type: {
            "input_data": INPUTS[job_type].model_json_schema(),
            "output_data": OUTPUTS[job_type].model_json_schema(),
        }
        for job_type in INPUTS
    }
