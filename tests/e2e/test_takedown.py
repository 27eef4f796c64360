"""Takedowns: everything derived from a song or a user is removed, and nothing else."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import redis

from tests.e2e.service import Service, new_mashup, new_user

if TYPE_CHECKING:
    from collections.abc import Sequence


def separated(service: Service, user: UUID, key: str) -> tuple[UUID, dict[str, Any]]:
    """Separate a song for a new mashup; return the mashup and the row of the job."""
    mashup = new_mashup(service, user)
    job = service.insert(
        user, "separate", {"audio": key, "mashup_id": str(mashup), "analyze": False}
    )
    row = service.ended(user, job)
    assert row["status"] == "completed", row["error_message"]
    return mashup, row


def mashup_of(service: Service, user: UUID, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Make a mashup of the drums of one job and the bass of another; return its row."""
    stems = [
        {"audio": _stem(row, kind)["key"], "kind": kind, "song": str(row["id"])}
        for row, kind in zip(rows, ("drums", "bass"), strict=True)
    ]
    document = {"stems": stems, "config": {"length_s": 8}}
    row = service.ended(user, service.insert(user, "mashup", document))
    assert row["status"] == "completed", row["error_message"]
    return row


def _stem(row: dict[str, Any], kind: str) -> dict[str, Any]:
    stems: dict[str, dict[str, Any]] = {one["kind"]: one for one in row["output_data"]["stems"]}
    return stems[kind]


def keys(service: Service, prefix: str = "") -> set[str]:
    pages = service.s3().get_paginator("list_objects_v2")
    found = pages.paginate(Bucket=service.facts["bucket"], Prefix=prefix)
    return {one["Key"] for page in found for one in page.get("Contents", [])}


def jobs(service: Service) -> set[UUID]:
    return {row["id"] for row in service.sql("SELECT id FROM ai_jobs")}


def test_purging_a_song_removes_everything_derived_from_it(service: Service) -> None:
    user, other = new_user(service), new_user(service)
    song, innocent = (service.upload(user, f"{n}.flac", 5.37 + 8 * n) for n in range(2))
    same_song = service.upload(other, "renamed.flac", 5.37)
    mashup, taken = separated(service, user, song)
    kept_mashup, kept = separated(service, user, innocent)
    elsewhere, also_taken = separated(service, other, same_song)
    derived = mashup_of(service, user, [taken, kept])
    remade = service.ended(
        user, service.insert(user, "master", {"audio": derived["output_data"]["audio"]["key"]})
    )
    untouched = keys(service, f"jobs/{kept['id']}/") | {innocent}
    data = service.s3().get_object(Bucket=service.facts["bucket"], Key=song)["Body"].read()
    sha256 = hashlib.sha256(data).hexdigest()
    gone = {row["id"] for row in (taken, also_taken, derived, remade)}

    dry = service.run("purge", "--song", sha256, "--dry-run", "--json")
    result = json.loads(dry.stdout)
    assert {UUID(job) for job in result["jobs"]} == gone
    assert jobs(service) >= gone
    assert set(result["keys"]) <= keys(service)

    without_terminal = service.run("purge", "--song", sha256)
    assert (without_terminal.returncode, "--yes" in without_terminal.stderr) == (2, True)
    done = service.run("purge", "--song", sha256, "--yes", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert {UUID(job) for job in result["jobs"]} == gone
    assert {UUID(one) for one in result["mashups"]} == {mashup, elsewhere}
    left = keys(service)
    assert untouched <= left
    assert not left & {song, same_song, *result["keys"]}
    assert not [key for key in left if any(str(job) in key for job in gone)]
    assert not jobs(service) & gone
    assert kept["id"] in jobs(service)
    for table in ("stems", "stem_usage_log"):
        rows = service.sql(f"SELECT 1 FROM {table} WHERE job_id = ANY(%s)", list(gone))
        assert not rows, table
    counts = {
        row["id"]: (row["has_stems"], row["stems_count"])
        for row in service.sql("SELECT * FROM mashups")
    }
    assert counts[mashup] == counts[elsewhere] == (False, 0)
    assert counts[kept_mashup] == (True, 4)
    with redis.Redis.from_url(service.facts["redis_url"]) as client:
        assert not client.exists(*(f"ai_jobs:{job}" for job in gone))
        assert client.exists(f"ai_jobs:{kept['id']}")

    # No result is left to reuse, so the same song is separated again.
    _, again = separated(service, user, service.upload(user, "0.flac", 5.37))
    assert again["output_data"]["reused_job_id"] is None


def test_purging_a_user_keeps_other_users(service: Service) -> None:
    user, other = new_user(service), new_user(service)
    mine, theirs = (service.upload(who, "song.flac", 12.0) for who in (user, other))
    _, gone = separated(service, user, mine)
    _, kept = separated(service, other, theirs)
    waiting = service.sql(
        "INSERT INTO ai_jobs (user_id, job_type, input_data, run_at)"
        " VALUES (%s, 'separate', '{\"audio\": \"x\"}', now() + interval '1 day') RETURNING id",
        user,
    )[0]["id"]
    service.upload(user, "never-used.flac", 1.0)
    done = service.run("purge", "--user", str(user), "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert {UUID(job) for job in json.loads(done.stdout)["jobs"]} == {gone["id"], waiting}
    assert not keys(service, f"uploads/{user}/")
    assert theirs in keys(service)
    assert not service.sql("SELECT 1 FROM ai_jobs WHERE user_id = %s", user)
    assert not service.sql("SELECT 1 FROM stems WHERE user_id = %s", user)
    assert kept["id"] in jobs(service)
    assert service.run("purge", "--user", str(user), "--yes").returncode == 0


def test_the_role_of_workers_must_not_purge(service: Service) -> None:
    user = new_user(service)
    worker_url = service.facts["worker_database_url"]
    refused = service.run("purge", "--user", str(user), "--yes", DATABASE_URL=worker_url)
    assert (refused.returncode, refused.stderr.count("\n")) == (3, 1)
    assert "permission denied" in refused.stderr
    wrong = service.run("purge", "--song", "no-such-file")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert service.run("purge").returncode == 2
