"""Stems of the registry, as their readers see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mashup_worker.db.named_sql import select
from mashup_worker.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

    from mashup_worker.db.database import Connection
    from mashup_worker.licenses import LicenseClass


@dataclass(frozen=True, kw_only=True)
class Stem:
    """Stem of the registry.

    Attributes:
        user_id: creator; None for stems of no user.
        title: title of its mashup, if the reader may see it.
        audio, file_name: address of its song, and the last part of it, if the reader may see it.
        license, license_class: license of the model that separated it; None if unknown.
        score: compatibility with a reference, if one was given.
    """

    id: UUID
    user_id: UUID | None
    mashup_id: UUID | None
    job_id: UUID | None
    kind: str
    storage_key: str
    sha256: str | None
    duration_s: float | None
    loudness_lufs: float | None
    tempo_bpm: float | None
    musical_key: str | None
    is_public: bool
    created_at: datetime
    title: str | None
    audio: str | None
    file_name: str | None
    license: str | None
    license_class: LicenseClass | None
    score: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class FoundStem:
    """Stem with its origin, as far as the reader may see it.

    Attributes:
        model: name of the model that separated it.
        source_sha256: digests of the files that its job read.
    """

    stem: Stem
    model: str | None
    source_sha256: list[str] | None


@dataclass(frozen=True, kw_only=True)
class StemFacts:
    """Facts of a stem that its readers may know, though they come from rows of other users.

    Attributes:
        usage_count: number of mashups that use it.
        peaks_key: object key of its waveform.
    """

    usage_count: int
    last_used_at: datetime | None
    peaks_key: str | None


@dataclass(frozen=True, kw_only=True)
class StemFilter:
    """Conditions on stems; None for any.

    Attributes:
        keys: musical keys of which a stem has one.
        user: creator.
        public: whether only public stems are found.
        words: beginnings of words in the title of the mashup, or in the file name of the song.
        licenses: ids and classes of licenses, of which the stem's model has one.
    """

    kind: str | None = None
    tempo_min: float | None = None
    tempo_max: float | None = None
    keys: list[str] | None = None
    user: UUID | None = None
    public: bool = False
    words: str | None = None
    licenses: list[str] | None = None


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Stem or song that others are compared with; its tempo or key is None if unknown.

    `mashup_id` and `job_id` identify its song.
    """

    id: UUID
    tempo_bpm: float | None
    musical_key: str | None
    mashup_id: UUID | None
    job_id: UUID | None


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """Scores of compatibility, as numbers.

    Attributes:
        key_scores: score of each key.
        max_change: change of speed from which a stem is left out; a smaller one has the score
            sqrt(1 - change / max_change), at least `min_score`.
        unknown_score: score of an unknown tempo or key.
        tempo_weight, key_weight: exponents of both scores in their product.
    """

    key_scores: Mapping[str, float]
    max_change: float
    min_score: float
    unknown_score: float
    tempo_weight: float
    key_weight: float


def newest(
    connection: Connection,
    wanted: StemFilter,
    *,
    after: tuple[datetime, UUID] | None = None,
    limit: int,
) -> list[Stem]:
    """Return stems that the caller may see, newest first, after the one of a time and an id."""
    after_time, after_id = after or (None, None)
    rows = select(
        connection,
        "stems.newest",
        **vars(wanted),
        after_time=after_time,
        after_id=after_id,
        limit=limit,
    )
    return [Stem(**row) for row in rows]


def compatible(
    connection: Connection,
    wanted: StemFilter,
    reference: Reference,
    scoring: Scoring,
    *,
    after: tuple[Decimal, UUID] | None = None,
    limit: int,
) -> list[Stem]:
    """Return stems of other songs, best score first, after the one of a score and an id."""
    after_score, after_id = after or (None, None)
    numbers = dict(vars(scoring))
    key_scores = numbers.pop("key_scores")
    rows = select(
        connection,
        "stems.compatible",
        **vars(wanted),
        **numbers,
        scored_keys=list(key_scores),
        key_scores=list(key_scores.values()),
        tempo=reference.tempo_bpm,
        reference=reference.id,
        of_mashup=reference.mashup_id,
        of_job=reference.job_id,
        after_score=after_score,
        after_id=after_id,
        limit=limit,
    )
    return [Stem(**row) for row in rows]


def find_reference(connection: Connection, reference_id: UUID) -> Reference:
    """Return tempo and key of a stem, or of the song of a mashup or of a finished job.

    Raises:
        NotFound: the caller may see none of these with the id.
    """
    for statement in ("stems.reference", "stems.analyzed"):
        rows = select(connection, statement, id=reference_id)
        if rows:
            return Reference(id=reference_id, **rows[0])
    raise NotFound(f"stem or song {reference_id}: not found")


def find(connection: Connection, stem_id: UUID) -> FoundStem:
    """Return a stem.

    Raises:
        NotFound: the caller may see no stem with the id.
    """
    rows: list[dict[str, Any]] = select(connection, "stems.find", id=stem_id)
    if not rows:
        raise NotFound(f"stem {stem_id}: not found")
    origin = {name: rows[0].pop(name) for name in ("model", "source_sha256")}
    return FoundStem(stem=Stem(**rows[0]), **origin)


def facts(connection: Connection, stem_id: UUID) -> StemFacts:
    """Return the facts of a stem that the caller was found to see.

    Call it with the role of the API.

    Raises:
        NotFound: the stem was deleted meanwhile.
    """
    rows = select(connection, "stems.facts", id=stem_id)
    if not rows:
        raise NotFound(f"stem {stem_id}: not found")
    return StemFacts(**rows[0])
