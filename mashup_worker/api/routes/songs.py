"""Songs: separation jobs with their stems, and corrections of what the analysis found."""

from __future__ import annotations

from datetime import datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response, status
from pydantic import AfterValidator, ConfigDict, Field

from mashup_worker.analysis.correction import TEMPO_FACTORS, Correction, corrected_document
from mashup_worker.analysis.key_names import camelot
from mashup_worker.api.compatibility import known_key
from mashup_worker.api.context import ApiContext, Context, Reader, Writer
from mashup_worker.api.documents import Document
from mashup_worker.api.pages import Cursor, Limit, Page, from_cursor, next_cursor
from mashup_worker.api.problems import Problem
from mashup_worker.api.routes.stems import StemDocument, song_names, stem_document
from mashup_worker.api.serving import SAFETY, BlockStream, content_disposition
from mashup_worker.api.zips import zip_blocks, zip_entry, zip_size
from mashup_worker.db import songs
from mashup_worker.db.jobs import Status
from mashup_worker.db.songs import SongCorrection
from mashup_worker.described import DescribedModel
from mashup_worker.errors import Conflict, NotFound
from mashup_worker.mixing.keys import parse_key
from mashup_worker.queue.job_inputs import MusicalKey
from mashup_worker.queue.job_outputs import ModelLicense
from mashup_worker.system.names import safe_name
from mashup_worker.vocabulary import STEM_KINDS

if TYPE_CHECKING:
    from mashup_worker.db.database import Connection
    from mashup_worker.db.songs import Song
    from mashup_worker.db.stems import Stem

router = APIRouter(tags=["songs"])

SongId = Annotated[UUID, Path(description="Id of a song, that of its separation job.")]

_ORDER: dict[str, int] = {kind: place for place, kind in enumerate(STEM_KINDS)}
_MAX_SHIFT = 64
_ARCHIVE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The archive",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_NOT_COMPLETED: dict[int | str, dict[str, Any]] = {
    409: {"model": Problem, "description": "The song has not been separated"}
}


def _known_factor(factor: float) -> float:
    if factor not in TEMPO_FACTORS:
        raise ValueError("choose 0.5, 1 or 2")
    return factor


class CorrectionDocument(DescribedModel):
    """Correction of what the analysis of a song found.

    Attributes:
        tempo_factor: 2 for twice as many beats, 0.5 for every second one.
        downbeat_shift: beats, after the change of tempo, by which bars begin later; earlier if
            negative. Half a beat moves the beats too.
        key: key that replaces the one found; null keeps that.
    """

    model_config = ConfigDict(extra="ignore", strict=True, allow_inf_nan=False)

    tempo_factor: Annotated[
        float, AfterValidator(_known_factor), Field(json_schema_extra={"enum": [*TEMPO_FACTORS]})
    ] = 1.0
    downbeat_shift: Annotated[
        float, Field(ge=-_MAX_SHIFT, le=_MAX_SHIFT, multiple_of=0.5, examples=[-1])
    ] = 0.0
    key: MusicalKey | None = None

    @classmethod
    def of(cls, correction: SongCorrection) -> Self:
        """Return the document of a correction."""
        return cls(
            tempo_factor=correction.tempo_factor,
            downbeat_shift=correction.downbeat_shift,
            key=correction.musical_key,
        )


class SongDocument(Document):
    """Song of a separation job. Facts of its analysis, as corrected, are null until it has one.

    Attributes:
        id: id of the job, for its events, cancellation and repetition.
        title: file name without suffix.
        file_name: last part of the song's address.
        progress: percent.
        stage: what a running job does now.
        error_code, error_message: reason of a failure, or of the last failed attempt.
        tempo_stable: whether one tempo fits the whole song.
        camelot: position of the key on the Camelot wheel.
        model: name of the model that separated it.
        license: license of the model; null for jobs of older releases.
        correction: null unless the user corrected the song.
    """

    id: UUID
    title: str = Field(examples=["When the Night Falls"])
    file_name: str | None = Field(examples=["When the Night Falls.mp3"])
    status: Status
    progress: int = Field(examples=[100])
    stage: str | None = Field(examples=[None])
    error_code: str | None = Field(examples=[None])
    error_message: str | None = Field(examples=[None])
    created_at: datetime
    duration_s: float | None = Field(examples=[214.5])
    tempo_bpm: float | None = Field(examples=[124.0])
    tempo_stable: bool | None
    key: str | None = Field(examples=["A minor"])
    camelot: str | None = Field(examples=["8A"])
    model: str | None = Field(examples=["htdemucs"])
    license: ModelLicense | None
    correction: CorrectionDocument | None
    stems: list[StemDocument]


class SongDetails(SongDocument):
    """Song with its analysis.

    Attributes:
        analysis: as in the output of the job, with the correction.
    """

    analysis: dict[str, Any] | None


class SongPage(Page[SongDocument]):
    """Songs, newest first."""


@router.get("/songs")
def list_songs(
    context: Context, caller: Reader, limit: Limit = 25, cursor: Cursor = None
) -> SongPage:
    """Return the songs of the caller's separation jobs in any state, newest first."""
    after = None if cursor is None else from_cursor(cursor, tuple[datetime, UUID])
    with context.transaction(caller) as connection:
        found = songs.page(connection, after=after, limit=limit + 1)
        stems = songs.stems(connection, [song.id for song in found[:limit]])
    items = [SongDocument(**_fields(context, song, stems[song.id])) for song in found[:limit]]
    return SongPage(items=items, next=next_cursor(found, limit, lambda s: (s.created_at, s.id)))


@router.get("/songs/{song_id}")
def get_song(song_id: SongId, context: Context, caller: Reader) -> SongDetails:
    """Return a song with its stems and its analysis."""
    with context.transaction(caller) as connection:
        return _details(context, connection, song_id)


@router.head("/songs/{song_id}/stems.zip", include_in_schema=False)
@router.get("/songs/{song_id}/stems.zip", response_class=Response, responses=_ARCHIVE)
def get_song_stems(song_id: SongId, request: Request, context: Context, caller: Reader) -> Response:
    """Return the stems of a song in an uncompressed ZIP archive, in a folder with its title."""
    with context.transaction(caller) as connection:
        song = songs.find(connection, song_id)
        stems = _ordered(songs.stems(connection, [song_id])[song_id])
    if not stems:
        raise NotFound(f"song {song_id}: has no stems")
    title, storage = safe_name(song_names(song)[0]), context.storage
    files = {f"{title}/{one.kind}{PurePath(one.storage_key).suffix}": one for one in stems}
    entries = [zip_entry(storage, stem.storage_key, name) for name, stem in files.items()]
    headers = {
        "Cache-Control": "private",
        "Content-Disposition": content_disposition(f"{title} - stems.zip"),
        "Content-Length": str(zip_size(entries)),
        **SAFETY,
    }
    if request.method == "HEAD":
        return Response(headers=headers, media_type="application/zip")
    return BlockStream(
        zip_blocks(storage, entries), status_code=200, headers=headers, media_type="application/zip"
    )


@router.put("/songs/{song_id}/correction", responses=_NOT_COMPLETED)
def correct_song(
    song_id: SongId, correction: CorrectionDocument, context: Context, caller: Writer
) -> SongDetails:
    """Correct tempo, downbeats and key of a song, and return it.

    The correction replaces an earlier one. It holds for the song, for its stems, and for mashups
    that are made of them from now on.
    """
    with context.transaction(caller) as connection:
        change = SongCorrection(
            tempo_factor=correction.tempo_factor,
            downbeat_shift=correction.downbeat_shift,
            musical_key=correction.key and parse_key(correction.key),
        )
        if correction == CorrectionDocument():
            is_done = songs.uncorrect(connection, song_id)
        else:
            is_done = songs.correct(connection, song_id, change)
        song = _details(context, connection, song_id)
    if not is_done:
        raise Conflict(f"song {song_id}: {song.status}; correct it once it is completed")
    return song


@router.delete("/songs/{song_id}/correction", status_code=status.HTTP_204_NO_CONTENT)
def remove_correction(song_id: SongId, context: Context, caller: Writer) -> None:
    """Remove the correction of a song; one that has none stays as it is."""
    with context.transaction(caller) as connection:
        songs.find(connection, song_id)
        songs.uncorrect(connection, song_id)


def _ordered(stems: list[Stem]) -> list[Stem]:
    return sorted(stems, key=lambda stem: (_ORDER.get(stem.kind, len(_ORDER)), stem.kind))


def _details(context: ApiContext, connection: Connection, song_id: UUID) -> SongDetails:
    song = songs.find(connection, song_id)
    stems = songs.stems(connection, [song_id])
    analysis = song.analysis
    if analysis is not None and song.correction is not None:
        correction = Correction(
            tempo_factor=song.correction.tempo_factor,
            downbeat_shift=song.correction.downbeat_shift,
            key=song.correction.musical_key,
        )
        analysis = corrected_document(analysis, correction)
    return SongDetails(**_fields(context, song, stems[song_id]), analysis=analysis)


def _fields(context: ApiContext, song: Song, stems: list[Stem]) -> dict[str, Any]:
    title, name = song_names(song)
    key = known_key(song.musical_key)
    return {
        "id": song.id,
        "title": title,
        "file_name": name,
        "status": song.status,
        "progress": song.progress or 0,
        "stage": song.stage,
        "error_code": song.error_code,
        "error_message": song.error_message,
        "created_at": song.created_at,
        "duration_s": song.duration_s,
        "tempo_bpm": song.tempo_bpm,
        "tempo_stable": song.tempo_stable,
        "key": song.musical_key,
        "camelot": key and camelot(key),
        "model": song.model,
        "license": song.license and ModelLicense.model_validate(song.license),
        "correction": song.correction and CorrectionDocument.of(song.correction),
        "stems": [stem_document(context, stem) for stem in _ordered(stems)],
    }
