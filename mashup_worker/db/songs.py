"""Songs: separation jobs as their users see them, and corrections of their analysis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mashup_worker.db.named_sql import select
from mashup_worker.db.stems import Stem
from mashup_worker.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from mashup_worker.db.database import Connection
    from mashup_worker.db.jobs import Status


@dataclass(frozen=True, kw_only=True)
class SongCorrection:
    """Correction of what the analysis of a song found; see `analysis.correction.Correction`."""

    tempo_factor: float
    downbeat_shift: float
    musical_key: str | None


@dataclass(frozen=True, kw_only=True)
class Song:
    """Song of a separation job; facts of its analysis, as corrected, are None until it has one.

    Attributes:
        id: id of the job.
        audio: address of the song.
        file_name: last part of the address.
        model: name of the model that separated it.
        license: license of the model, as `License.as_dict` returns it; None for older releases.
        analysis: analysis in the output of the job, without the correction; None in lists.
    """

    id: UUID
    status: Status
    progress: int | None
    stage: str | None
    error_code: str | None
    error_message: str | None
    created_at: datetime
    audio: str | None
    file_name: str | None
    model: str | None
    license: dict[str, str] | None
    duration_s: float | None
    tempo_bpm: float | None
    tempo_stable: bool | None
    musical_key: str | None
    correction: SongCorrection | None
    analysis: dict[str, Any] | None


def page(
    connection: Connection, *, after: tuple[datetime, UUID] | None = None, limit: int
) -> list[Song]:
    """Return songs that the caller may see, newest first, after the one of a time and an id."""
    after_time, after_id = after or (None, None)
    return _songs(connection, id=None, after_time=after_time, after_id=after_id, limit=limit)


def find(connection: Connection, song_id: UUID) -> Song:
    """Return a song with its analysis.

    Raises:
        NotFound: the caller may see no separation job with the id.
    """
    found = _songs(connection, id=song_id, after_time=None, after_id=None, limit=1)
    if not found:
        raise NotFound(f"song {song_id}: not found")
    return found[0]


def stems(connection: Connection, songs: Sequence[UUID]) -> dict[UUID, list[Stem]]:
    """Return the stems of songs that the caller may see, by song."""
    found: dict[UUID, list[Stem]] = {song: [] for song in songs}
    for row in select(connection, "songs.stems", jobs=list(songs)):
        stem = Stem(**row)
        if stem.job_id is not None:
            found[stem.job_id].append(stem)
    return found


def correct(connection: Connection, song_id: UUID, correction: SongCorrection) -> bool:
    """Correct a song and the facts of its stems; return False if the caller may not.

    Only the caller's completed songs can be corrected.
    """
    return bool(select(connection, "songs.correct", id=song_id, **vars(correction)))


def uncorrect(connection: Connection, song_id: UUID) -> bool:
    """Remove the correction of a song, if it has one; return False if the caller may not."""
    return bool(select(connection, "songs.uncorrect", id=song_id))


def correction(connection: Connection, job_id: UUID) -> SongCorrection | None:
    """Return the correction of the song of a separation job."""
    rows = select(connection, "songs.correction", job=job_id)
    return SongCorrection(**rows[0]) if rows else None


def correction_of_stem(connection: Connection, stem_id: UUID) -> SongCorrection | None:
    """Return the correction of the song of a stem, which the caller was found to read.

    Call it with the role of the worker.
    """
    rows = select(connection, "songs.correction_of_stem", stem=stem_id)
    return SongCorrection(**rows[0]) if rows else None


def _songs(connection: Connection, **parameters: Any) -> list[Song]:
    rows = select(connection, "songs.page", **parameters)
    for row in rows:
        row["correction"] = row["correction"] and SongCorrection(**row["correction"])
    return [Song(**row) for row in rows]
