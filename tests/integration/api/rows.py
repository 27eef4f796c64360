"""Rows that tests of stems and mashups insert as the owner of the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from mashup_worker.db import jobs
from mashup_worker.db.publishing import publish

if TYPE_CHECKING:
    from mashup_worker.db.database import Connection
    from mashup_worker.vocabulary import JobType
    from tests.integration.api.world import World


def add_stem(world: World, user: UUID | None, **values: Any) -> UUID:
    """Insert a stem of the registry, private vocals by default; return its id."""
    row = {"kind": "vocals", "storage_key": f"jobs/{uuid4()}/1/vocals.flac", **values}
    columns = ", ".join(row)
    places = ", ".join(["%s"] * len(row))
    (made,) = world.rows(
        f"INSERT INTO stems (user_id, {columns}) VALUES (%s, {places}) RETURNING id",
        user,
        *row.values(),
    )
    return UUID(str(made["id"]))


def add_mashup(
    world: World, user: UUID | None, title: str | None = None, *, is_public: bool = False
) -> UUID:
    """Insert a mashup; return its id."""
    (made,) = world.rows(
        "INSERT INTO mashups (user_id, title, is_public) VALUES (%s, %s, %s) RETURNING id",
        user,
        title,
        is_public,
    )
    return UUID(str(made["id"]))


def finish_job(
    world: World, user: UUID | None, job_type: JobType, output: dict[str, Any], **more: Any
) -> UUID:
    """Insert a job and complete it as a worker does, with its rows; return its id."""
    return finished_job(world.owner, user, job_type, output, **more)


def finished_job(
    owner: Connection,
    user: UUID | None,
    job_type: JobType,
    output: dict[str, Any],
    *,
    source_sha256: tuple[str, ...] = (),
    source_jobs: tuple[UUID, ...] = (),
    **document: Any,
) -> UUID:
    """Do the same as the owner of the tables; no worker sees the job before its end."""
    with owner.transaction():
        job = jobs.insert(owner, job_type, document, user_id=user)
        claimed = jobs.change_status(
            owner, "claim", id=job.id, worker_id="w", lease_s=60, job_types=[job_type]
        )
        assert claimed is not None
        claim = jobs.Claim(id=job.id, attempt=claimed.attempt, worker_id="w")
        assert jobs.change_status(
            owner,
            "complete",
            **claim.fence,
            output=Jsonb(output),
            result_digest=None,
            source_sha256=list(source_sha256),
            source_jobs=list(source_jobs),
        )
        publish(owner, job_type, job.id)
    return job.id


def finish_mashup(world: World, user: UUID | None, *stems: UUID | None, **more: Any) -> UUID:
    """Complete a mashup job that used stems, or files for None; return its id."""
    key = f"jobs/{uuid4()}/1/mashup.mp3"
    output = {
        "audio": {"key": key, "peaks_key": f"{key}.json", "duration_s": 181.2, "loudness_lufs": -9},
        "stems_used": [
            {"stem_id": None if one is None else str(one), "kind": "vocals", "song": "s"}
            for one in stems
        ],
    }
    return finish_job(world, user, "mashup", output, **more)
