"""Inputs of jobs: `input_data` of `ai_jobs`.

Unknown keys are ignored with a warning. An invalid value fails the job with `invalid_input`; the
message names the field.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from mashup_worker.described import DescribedModel
from mashup_worker.mixing.vibes import VIBES
from mashup_worker.vocabulary import (
    COMPLEMENT_PREFIX,
    DEFAULT_LOUDNESS_LUFS,
    DEFAULT_TRUE_PEAK_DBTP,
    EXPORTS,
    LOUDNESS_LUFS,
    STEM_KINDS,
    STEM_SYNONYMS,
    TEMPO_BPM,
    TRUE_PEAK_DBTP,
    ExportName,
    FormatName,
    FormName,
    TransitionName,
    by_stem_kind,
    stem_kind,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from mashup_worker.vocabulary import Range

_UPLOAD = (
    "uploads/7f0c0ee8-1a52-4f0b-b8f5-0d1c0b0a5c3e/1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed/song.mp3"
)

WHOLE_SONG = "mix"
"""Kind of a whole song among the stems of a mashup."""

_SYNONYMS = "|".join(STEM_SYNONYMS)
_KIND = rf"^(({COMPLEMENT_PREFIX})?({'|'.join((*STEM_KINDS, WHOLE_SONG))})|{_SYNONYMS})$"
_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def _within(limits: Range) -> Any:
    """Return the constraint of a number within limits."""
    return Field(ge=limits.low, le=limits.high)


def _canonical_id(value: object) -> object:
    """Refuse the spellings of UUIDs that Python reads and Postgres does not."""
    if isinstance(value, str) and not _ID.fullmatch(value):
        raise ValueError("not a UUID")
    return value


def _distinct_kinds(stems: object) -> object:
    """Refuse two names of one kind, of which a dictionary would keep one silently."""
    if isinstance(stems, dict):
        by_stem_kind(stems)
    return stems


def _known_vibe(vibe: str) -> str:
    if vibe not in VIBES:
        raise ValueError(f"unknown vibe {vibe!r}; use one of {', '.join(VIBES)}")
    return vibe


AnyStemKind = Annotated[str, Field(pattern=_KIND, examples=["vocals"]), AfterValidator(stem_kind)]
"""Kind of a stem, of the mix without that stem, or `mix` for a whole song.

Synonyms such as `accompaniment` are replaced by the kind.
"""

Address = Annotated[
    str,
    Field(
        min_length=1,
        max_length=4_096,
        description="Location of audio: an https URL, `s3://bucket/key`, or a key of the store.",
        examples=["https://example.com/song.mp3"],
    ),
]

Exports = Annotated[
    tuple[ExportName, ...], Field(max_length=len(EXPORTS), examples=[["dawproject", "click"]])
]
"""Formats for DJ programs and DAWs, whose files are written beside the results."""

Vibe = Annotated[str, AfterValidator(_known_vibe), Field(json_schema_extra={"enum": list(VIBES)})]
WebhookEvent = Literal["start", "output", "logs", "completed"]
MusicalKey = Annotated[str, Field(pattern=r"^[A-G](#|b)? (major|minor)$", examples=["A minor"])]
Id = Annotated[UUID, BeforeValidator(_canonical_id)]


class _Untrusted(DescribedModel):
    """Value written by a client: unknown keys are ignored, known ones must be valid."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, strict=True)


class JobInput(_Untrusted):
    """Input of a job.

    Attributes:
        webhook: address that receives the events of the job.
        webhook_events_filter: events that it receives; by default output and completed.
    """

    webhook: (
        Annotated[
            str,
            Field(
                pattern=r"^https?://", max_length=2_048, examples=["https://example.com/webhook"]
            ),
        ]
        | None
    ) = None
    webhook_events_filter: Annotated[tuple[WebhookEvent, ...], Field(max_length=4)] | None = None

    def addresses(self) -> tuple[str, ...]:
        """Return the addresses of all audio that the job reads."""
        found: list[str] = []

        def keep(address: str) -> str:
            found.append(address)
            return address

        self.with_addresses(keep)
        return tuple(found)

    def with_addresses(self, change: Callable[[str], str]) -> Self:  # noqa: ARG002
        """Return a copy with other addresses of audio; `change` returns the new one of each."""
        return self

    def stem_ids(self) -> tuple[UUID, ...]:
        """Return the stems of the registry that the job reads."""
        return ()


class PredictionInput(_Untrusted):
    """Request of a client of Replicate's API, from which the answer to it is made.

    Attributes:
        version: id of the model version, which decides the form of the output.
        input: known keys of the request's input.
    """

    version: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    input: Annotated[dict[str, Any], Field(max_length=32)]


def _example(**document: Any) -> ConfigDict:
    """Return the configuration of a model with an example."""
    return ConfigDict(json_schema_extra={"examples": [document]})


class SeparateInput(JobInput):
    """Song to separate into stems.

    Attributes:
        mashup_id: mashup whose stems these become.
        model: model that separates; by default the worker's.
        stems: stems to write; by default all stems of the model.
        bit_depth: 16, 24 or 32 (float) bits a sample, as the format supports; by default 16.
        bitrate_kbps: bitrate of MP3 and OGG.
        sum_exact: whether the samples of all stems add up to those of the song, in FLAC and WAV.
        analyze: whether tempo, beats, key and loudness are found too.
        export: files for DJ programs and DAWs beside the stems; most need the analysis.
        prediction: set by the API for jobs that clients of Replicate's API made.
    """

    model_config = _example(audio=_UPLOAD, stems=["vocals", "no_vocals"], format="mp3")

    audio: Address
    mashup_id: Id | None = None
    model: Annotated[str, Field(pattern=r"^[\w.-]{1,64}$", examples=["htdemucs_ft"])] | None = None
    stems: Annotated[tuple[AnyStemKind, ...], Field(min_length=1, max_length=12)] | None = None
    format: FormatName = "flac"
    bit_depth: Literal[16, 24, 32] | None = None
    bitrate_kbps: Annotated[int, Field(ge=32, le=500, examples=[320])] | None = None
    sum_exact: bool = False
    analyze: bool = True
    export: Exports = ()
    prediction: PredictionInput | None = None

    def with_addresses(self, change: Callable[[str], str]) -> Self:
        """See `JobInput.with_addresses`."""
        return self.model_copy(update={"audio": change(self.audio)})


class AnalyzeInput(JobInput):
    """Song to analyze: whole as `audio`, or as stems.

    Attributes:
        stems: addresses of the song's stems by their kinds.
        export: files for DJ programs and DAWs; of stems of a `separate` job they have the analysis
            of that job, as its user corrected it.
        title: title of the song in these files; by default that of its tags.
    """

    model_config = _example(audio=_UPLOAD)

    audio: Address | None = None
    stems: (
        Annotated[
            dict[AnyStemKind, Address],
            Field(min_length=1, max_length=12),
            BeforeValidator(_distinct_kinds),
        ]
        | None
    ) = None
    export: Exports = ()
    title: Annotated[str, Field(max_length=4_096, examples=["Night"])] | None = None

    @model_validator(mode="after")
    def _either(self) -> AnalyzeInput:
        if (self.audio is None) == (self.stems is None):
            raise ValueError("give either audio or stems")
        return self

    def with_addresses(self, change: Callable[[str], str]) -> Self:
        """See `JobInput.with_addresses`."""
        if self.audio is not None:
            return self.model_copy(update={"audio": change(self.audio)})
        stems = {kind: change(address) for kind, address in (self.stems or {}).items()}
        return self.model_copy(update={"stems": stems})


class StemInput(_Untrusted):
    """Stem of a mashup.

    Attributes:
        stem_id: stem of the registry.
        audio: file, in place of `stem_id`.
        kind: kind of the stem; `mix` for a whole song.
        song: name of its song; stems with the same name belong together. By default, a stem of the
            registry belongs to the song that it was separated from, and a file to a song of its
            own.
    """

    stem_id: Id | None = None
    audio: Address | None = None
    kind: AnyStemKind
    song: Annotated[str, Field(min_length=1, max_length=200, examples=["night"])] | None = None

    @model_validator(mode="after")
    def _either(self) -> StemInput:
        if (self.audio is None) == (self.stem_id is None):
            raise ValueError("give either stem_id or audio")
        return self


class MashupConfig(_Untrusted):
    """Parameters of a mashup.

    Attributes:
        form: vocals over the instruments of other songs, songs one after another, or short parts of
            songs; by default `layer` where exactly one of several songs has vocals, otherwise
            `sequence`.
        vibe: style of arrangement, mix and master.
        intensity: 0 for calm to 1 for full.
        transition, loudness_lufs: by default the vibe's.
        tempo_bpm, key: by default those that change the songs least.
        length_s: approximate length.
        seed: mashups with the same seed and input are the same.
    """

    form: FormName | None = None
    vibe: Vibe = "club"
    intensity: Annotated[float, Field(ge=0, le=1)] = 0.5
    transition: TransitionName | None = None
    tempo_bpm: Annotated[float, _within(TEMPO_BPM)] | None = None
    key: MusicalKey | None = None
    length_s: Annotated[float, Field(ge=4, le=1_200, examples=[180])] | None = None
    loudness_lufs: Annotated[float, _within(LOUDNESS_LUFS)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0


class MashupInput(JobInput):
    """Mashup of stems and whole songs to make.

    Attributes:
        stems: stems and whole songs to use.
        config: style of the mashup.
        mashup_id: mashup that the result becomes; its stems are credited at once.
        export: files for DJ programs and DAWs beside the mashup.
    """

    model_config = _example(
        stems=[
            {"stem_id": "9e9b2f0c-2d0d-4a4c-8e55-5f1f8f0d7a11", "kind": "vocals"},
            {"audio": _UPLOAD, "kind": "mix"},
        ],
        config={"vibe": "club", "intensity": 0.7},
    )

    stems: Annotated[tuple[StemInput, ...], Field(min_length=1, max_length=32)]
    config: MashupConfig = MashupConfig()
    format: FormatName = "mp3"
    mashup_id: Id | None = None
    export: Exports = ()

    def with_addresses(self, change: Callable[[str], str]) -> Self:
        """See `JobInput.with_addresses`."""
        stems = tuple(
            stem if stem.audio is None else stem.model_copy(update={"audio": change(stem.audio)})
            for stem in self.stems
        )
        return self.model_copy(update={"stems": stems})

    def stem_ids(self) -> tuple[UUID, ...]:
        """See `JobInput.stem_ids`."""
        return tuple(stem.stem_id for stem in self.stems if stem.stem_id is not None)


class MasterInput(JobInput):
    """Mix to master; the limit of true peaks holds for the decoded result.

    Attributes:
        loudness_lufs: integrated loudness of the result.
        true_peak_dbtp: limit of true peaks.
        raise_quiet: whether a mix below -70 LUFS, which counts as silence, is raised too.
        export: files for DJ programs and DAWs beside the master, which is analyzed for them.
    """

    model_config = _example(audio=_UPLOAD, loudness_lufs=-14.0)

    audio: Address
    loudness_lufs: Annotated[float, _within(LOUDNESS_LUFS)] = DEFAULT_LOUDNESS_LUFS
    true_peak_dbtp: Annotated[float, _within(TRUE_PEAK_DBTP)] = DEFAULT_TRUE_PEAK_DBTP
    raise_quiet: bool = False
    format: FormatName = "mp3"
    export: Exports = ()

    def with_addresses(self, change: Callable[[str], str]) -> Self:
        """See `JobInput.with_addresses`."""
        return self.model_copy(update={"audio": change(self.audio)})
