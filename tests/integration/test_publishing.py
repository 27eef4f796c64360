"""Two separations for one mashup that end at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from mashup_worker.db import jobs
from mashup_worker.vocabulary import JOB_TYPES

if TYPE_CHECKING:
    from mashup_worker.db.database import Connection


def running(owner: Connection, user: UUID, mashup: UUID) -> jobs.Claim:
    """Insert a separation for a mashup, and claim it."""
    document = Jsonb({"audio": "uploads/song.flac", "mashup_id": str(mashup)})
    query = (
        "INSERT INTO ai_jobs (user_id, job_type, input_data) VALUES (%s, 'separate', %s)"
        " RETURNING id"
    )
    (row,) = owner.execute(query, [user, document]).fetchall()
    job = jobs.change_status(
        owner, "claim", id=row["id"], worker_id="w", lease_s=60, job_types=[*JOB_TYPES]
    )
    assert job is not None
    return jobs.Claim(id=job.id, attempt=job.attempt, worker_id="w")


def complete(connection: Connection, claim: jobs.Claim) -> None:
    stem = {"kind": "vocals", "key": f"jobs/{claim.id}/vocals.flac", "peaks_key": "p"}
    output: dict[str, Any] = {"stems": [stem], "analysis": None}
    done = jobs.change_status(
        connection,
        "complete",
        **claim.fence,
        output=Jsonb(output),
        result_digest=None,
        source_sha256=[],
        source_jobs=[],
    )
    assert done is not None


def publish(connection: Connection, claim: jobs.Claim) -> None:
    connection.execute("SELECT mashup_worker.publish_stems(%s)", [claim.id])


@pytest.mark.parametrize("first_publishes_last", [False, True])
def test_a_mashup_has_the_stems_of_the_separation_that_completed_last(
    migrated_url: str, first_publishes_last: bool
) -> None:
    user = uuid4()
    with (
        psycopg.connect(migrated_url, autocommit=True, row_factory=dict_row) as owner,
        psycopg.connect(migrated_url, row_factory=dict_row) as one,
        psycopg.connect(migrated_url, row_factory=dict_row) as two,
    ):
        owner.execute("INSERT INTO profiles (id) VALUES (%s)", [user])
        query = "INSERT INTO mashups (user_id, title) VALUES (%s, 'Night') RETURNING id"
        mashup = owner.execute(query, [user]).fetchall()[0]["id"]
        first, second = (running(owner, user, mashup) for _ in range(2))
        complete(one, first)
        complete(two, second)
        order = [(one, first), (two, second)]
        for connection, claim in reversed(order) if first_publishes_last else order:
            publish(connection, claim)
            connection.commit()
        stems = owner.execute("SELECT storage_key FROM mashup_stems").fetchall()
        assert [stem["storage_key"] for stem in stems] == [f"jobs/{second.id}/vocals.flac"]
        (counts,) = owner.execute("SELECT stems_count FROM mashups").fetchall()
        assert counts["stems_count"] == 1
