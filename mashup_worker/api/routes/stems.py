"""Stems: search, provenance, audio and waveforms."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Literal, Self
from urllib.parse import unquote
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from mashup_worker.analysis.key_names import camelot
from mashup_worker.api.compatibility import (
    Compatibility,
    compatibility,
    known_key,
    scoring_for,
    usable_reference,
)
from mashup_worker.api.context import ApiContext, Context, Reader
from mashup_worker.api.documents import Document
from mashup_worker.api.frame_indexes import frame_index_response
from mashup_worker.api.pages import Cursor, Limit, Page, from_cursor, next_cursor
from mashup_worker.api.parameters import StemId
from mashup_worker.api.routes.files import AUDIO, FRAME_INDEX, WAVEFORM
from mashup_worker.api.serving import object_response
from mashup_worker.audio.formats import without_audio_suffix
from mashup_worker.db import stems
from mashup_worker.db.stems import Reference, Stem, StemFilter
from mashup_worker.errors import InvalidInput, NotFound
from mashup_worker.licenses import LicenseClass, LicenseRule
from mashup_worker.mixing.keys import keys_near, parse_key
from mashup_worker.queue.job_inputs import AnyStemKind

if TYPE_CHECKING:
    from mashup_worker.api.access.callers import Caller
    from mashup_worker.db.songs import Song

router = APIRouter(tags=["stems"])

_URL = "https://api.example.com/api/stems/9e9b2f0c-2d0d-4a4c-8e55-5f1f8f0d7a11"


class StemDocument(Document):
    """Stem of the registry.

    Attributes:
        user_id: creator; null for stems of no user.
        title: title of the stem's mashup, or else of its song, if the caller may see either.
        camelot: position of the key on the Camelot wheel.
        license: id of the license of the model that separated it; null if unknown.
        license_class: whether a business may use that model; null if unknown.
        audio_url, peaks_url: routes of this API, which need the caller's token.
        compatibility: set in answers to `compatible_with`.
    """

    id: UUID
    user_id: UUID | None
    mashup_id: UUID | None
    job_id: UUID | None
    title: str | None = Field(examples=["When the Night Falls"])
    kind: str = Field(examples=["vocals"])
    tempo_bpm: float | None = Field(examples=[124.0])
    key: str | None = Field(examples=["A minor"])
    camelot: str | None = Field(examples=["8A"])
    duration_s: float | None = Field(examples=[215.4])
    loudness_lufs: float | None = Field(examples=[-18.2])
    license: str | None = Field(examples=["scientific-only"])
    license_class: LicenseClass | None = Field(examples=["restricted"])
    is_public: bool
    created_at: datetime
    audio_url: str = Field(examples=[f"{_URL}/audio"])
    peaks_url: str = Field(examples=[f"{_URL}/peaks"])
    compatibility: Compatibility | None = None


class Provenance(Document):
    """Origin of a stem; fields that only its creator may see are null for others.

    Attributes:
        song_id: id under which mashups join the stems of one song.
        file_name: name of the file of the song.
        job_id: job that separated the song.
        creator_id: user of that job.
        model: name of the model that separated the song.
        source_sha256: digests of the files that the job read.
    """

    song_id: UUID
    file_name: str | None = Field(examples=["night.mp3"])
    job_id: UUID | None
    mashup_id: UUID | None
    title: str | None = Field(examples=["When the Night Falls"])
    creator_id: UUID | None
    model: str | None = Field(examples=["htdemucs"])
    source_sha256: list[str] | None


class StemDetails(StemDocument):
    """Stem with its use and origin.

    Attributes:
        sha256: digest of the file.
        usage_count: number of mashups that use it.
    """

    sha256: str | None = Field(examples=[f"{0xC0FFEE:064x}"])
    usage_count: int = Field(examples=[3])
    last_used_at: datetime | None
    provenance: Provenance


class StemQuery(BaseModel):
    """Conditions on stems."""

    model_config = ConfigDict(extra="forbid")

    kind: AnyStemKind | None = Field(
        None, description="Kind, such as `vocals` or `no_vocals`, or a synonym of it."
    )
    tempo_min: float | None = Field(None, ge=0, le=1_000, description="Lowest tempo in BPM.")
    tempo_max: float | None = Field(None, ge=0, le=1_000, description="Highest tempo in BPM.")
    key: str | None = Field(
        None, max_length=20, description="Musical key, such as `A minor`, `Am` or `8A`."
    )
    camelot: str | None = Field(
        None, pattern="^(1[0-2]|[1-9])[ABab]$", description="Key as a code of the Camelot wheel."
    )
    neighbors: bool = Field(
        False, description="Whether keys one step away on the Camelot wheel are found too."
    )
    text: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00]*$",
        description="Beginnings of words in the title of the mashup, or in the file name of the"
        " caller's song.",
    )
    license: str | None = Field(
        None,
        min_length=1,
        max_length=400,
        description="Licenses of the model, as classes (`permissive`, `restricted`, `unknown`) and"
        " ids with commas.",
        examples=["permissive"],
    )
    mine: bool = Field(False, description="Only stems of the caller.")
    public: bool = Field(False, description="Only public stems.")
    compatible_with: UUID | None = Field(
        None, description="Stem, mashup or job: sorts stems of other songs by their compatibility."
    )
    limit: Limit = 25
    cursor: Cursor = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.key is not None and self.camelot is not None:
            raise ValueError("give either key or camelot")
        if self.neighbors and self.key is None and self.camelot is None:
            raise ValueError("neighbors: needs key or camelot")
        if None not in (self.tempo_min, self.tempo_max) and self.tempo_min > self.tempo_max:  # type: ignore[operator]
            raise ValueError("tempo_min: greater than tempo_max")
        return self

    def filter(self, caller: Caller) -> StemFilter:
        """Return the conditions for the database.

        Raises:
            InvalidInput: the key is unknown, a license is no name, or `mine` lacks a user.
        """
        if self.mine and caller.user_id is None:
            raise InvalidInput("mine: this token acts for no user; send Mashup-User")
        key = self.key or self.camelot
        return StemFilter(
            kind=self.kind,
            tempo_min=self.tempo_min,
            tempo_max=self.tempo_max,
            keys=None if key is None else keys_near(parse_key(key), int(self.neighbors)),
            user=caller.user_id if self.mine else None,
            public=self.public,
            words=self.text,
            licenses=None if self.license is None else list(LicenseRule.of([self.license]).allowed),
        )


class StemPage(Page[StemDocument]):
    """Stems, newest or most compatible first."""


@router.get("/stems")
def list_stems(query: Annotated[StemQuery, Query()], context: Context, caller: Reader) -> StemPage:
    """Return stems that the caller may see: own and public ones, newest first.

    With `compatible_with` stems of other songs, the most compatible first. Stems that would have to
    be played more than 20 % faster or slower are left out; half and double time count as the same
    tempo.
    """
    wanted, limit = query.filter(caller), query.limit
    with context.transaction(caller) as connection:
        if query.compatible_with is None:
            after = query.cursor and from_cursor(query.cursor, tuple[datetime, UUID])
            found = stems.newest(connection, wanted, after=after or None, limit=limit + 1)
            reference, following = None, next_cursor(found, limit, lambda s: (s.created_at, s.id))
        else:
            reference = usable_reference(stems.find_reference(connection, query.compatible_with))
            best = query.cursor and from_cursor(
                query.cursor, tuple[Literal["score"], Decimal, UUID]
            )
            found = stems.compatible(
                connection,
                wanted,
                reference,
                scoring_for(reference),
                after=best[1:] if best else None,
                limit=limit + 1,
            )
            following = next_cursor(found, limit, lambda s: ("score", s.score, s.id))
    items = [stem_document(context, stem, reference) for stem in found[:limit]]
    return StemPage(items=items, next=following)


@router.get("/stems/{stem_id}")
def get_stem(stem_id: StemId, context: Context, caller: Reader) -> StemDetails:
    """Return a stem with its use and origin."""
    with context.transaction(caller) as connection:
        found = stems.find(connection, stem_id)
    with context.database.transaction() as connection:
        facts = stems.facts(connection, stem_id)
    stem = found.stem
    return StemDetails(
        **dict(stem_document(context, stem)),
        sha256=stem.sha256,
        usage_count=facts.usage_count,
        last_used_at=facts.last_used_at,
        provenance=Provenance(
            song_id=stem.mashup_id or stem.job_id or stem.id,
            file_name=song_names(stem)[1],
            job_id=stem.job_id,
            mashup_id=stem.mashup_id,
            title=title_of(stem),
            creator_id=stem.user_id,
            model=found.model,
            source_sha256=found.source_sha256,
        ),
    )


@router.head("/stems/{stem_id}/audio", include_in_schema=False)
@router.get("/stems/{stem_id}/audio", response_class=Response, responses=AUDIO)
def get_stem_audio(stem_id: StemId, request: Request, context: Context, caller: Reader) -> Response:
    """Return the audio file of a stem, or one range of its bytes."""
    with context.transaction(caller) as connection:
        stem = stems.find(connection, stem_id).stem
    return object_response(request, context.storage, stem.storage_key)


@router.head("/stems/{stem_id}/peaks", include_in_schema=False)
@router.get("/stems/{stem_id}/peaks", response_class=Response, responses=WAVEFORM)
def get_stem_peaks(stem_id: StemId, request: Request, context: Context, caller: Reader) -> Response:
    """Return the waveform of a stem for players, in the JSON of audiowaveform."""
    with context.transaction(caller) as connection:
        stems.find(connection, stem_id)
    with context.database.transaction() as connection:
        key = stems.facts(connection, stem_id).peaks_key
    if key is None:
        raise NotFound(f"stem {stem_id}: has no waveform")
    return object_response(request, context.storage, key)


@router.head("/stems/{stem_id}/frames", include_in_schema=False)
@router.get("/stems/{stem_id}/frames", response_class=Response, responses=FRAME_INDEX)
def get_stem_frames(
    stem_id: StemId, request: Request, context: Context, caller: Reader
) -> Response:
    """Return the frame index of a stem in FLAC, by which players fetch and decode parts of it."""
    with context.transaction(caller) as connection:
        stem = stems.find(connection, stem_id).stem
    return frame_index_response(request, context, stem.storage_key)


def title_of(stem: Stem) -> str | None:
    """Return the title of a stem's mashup, or else of its song, if the caller may see either."""
    return stem.title or (song_names(stem)[0] if stem.audio else None)


def song_names(song: Song | Stem) -> tuple[str, str | None]:
    """Return title and file name of a song, or of the song of a stem."""
    name = song.file_name
    if name is not None and (song.audio or "").lower().startswith(("http:", "https:")):
        name = unquote(name)
    return without_audio_suffix(name or "") or "song", name


def stem_document(
    context: ApiContext, stem: Stem, reference: Reference | None = None
) -> StemDocument:
    """Return the document of a stem, with its compatibility with a reference."""
    key = known_key(stem.musical_key)
    url = f"{context.url}/api/stems/{stem.id}"
    return StemDocument(
        id=stem.id,
        user_id=stem.user_id,
        mashup_id=stem.mashup_id,
        job_id=stem.job_id,
        title=title_of(stem),
        kind=stem.kind,
        tempo_bpm=stem.tempo_bpm,
        key=stem.musical_key,
        camelot=key and camelot(key),
        duration_s=stem.duration_s,
        loudness_lufs=stem.loudness_lufs,
        license=stem.license,
        license_class=stem.license_class,
        is_public=stem.is_public,
        created_at=stem.created_at,
        audio_url=f"{url}/audio",
        peaks_url=f"{url}/peaks",
        compatibility=None if reference is None else compatibility(stem, reference),
    )
