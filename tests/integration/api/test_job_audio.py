"""Audio of mashup and master jobs, before and after mastering."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from mashup_worker.audio.frame_index import index_frames
from mashup_worker.db import jobs
from tests.integration.api.rows import finish_job
from tests.integration.api.test_frames import flac, put

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from httpx2 import Response

    from tests.integration.api.world import World

PATHS = ("audio", "peaks", "frames", "unmastered", "unmastered/peaks", "unmastered/frames")
FLAC = flac()


@pytest.fixture
def mashup(world: World, tmp_path: Path) -> UUID:
    """A mashup job of Alice, with files in the store."""
    folder = f"jobs/{uuid4()}/1"
    output = {
        name: {"key": f"{folder}/{file}.flac", "peaks_key": f"{folder}/{file}.peaks.json"}
        for name, file in (("audio", "mashup"), ("unmastered", "unmastered"))
    }
    for name, one in output.items():
        put(world, tmp_path, one["key"], FLAC)
        put(world, tmp_path, one["peaks_key"], json.dumps({"of": name}).encode())
    return finish_job(world, world.alice, "mashup", output, stems=[])


def get(world: World, job: UUID, path: str, user: UUID | None = None, **headers: str) -> Response:
    own = world.as_user(user or world.alice)
    return world.client.get(f"/api/jobs/{job}/{path}", headers=own | headers)


def test_both_versions_are_served(world: World, mashup: UUID) -> None:
    for name in ("audio", "unmastered"):
        whole = get(world, mashup, name)
        assert (whole.content, whole.headers["Content-Type"]) == (FLAC, "audio/flac")
        part = get(world, mashup, name, Range="bytes=0-3")
        assert (part.status_code, part.content) == (206, b"fLaC")
    assert get(world, mashup, "peaks").json() == {"of": "audio"}
    assert get(world, mashup, "unmastered/peaks").json() == {"of": "unmastered"}
    expected = json.loads(index_frames([FLAC]).as_json())
    assert get(world, mashup, "frames").json() == expected
    assert get(world, mashup, "unmastered/frames").json() == expected


def test_jobs_of_others_are_not_there(world: World, mashup: UUID) -> None:
    missing = uuid4()
    for path in PATHS:
        other, absent = (get(world, one, path, world.bob) for one in (mashup, missing))
        assert other.status_code == absent.status_code == 404
        assert other.text == absent.text.replace(str(missing), str(mashup))
        assert world.client.get(f"/api/jobs/{mashup}/{path}").status_code == 401
        head = world.client.head(f"/api/jobs/{mashup}/{path}", headers=world.as_user(world.alice))
        assert (head.status_code, head.content) == (200, b"")


def test_jobs_without_audio_have_none(world: World) -> None:
    old = {"audio": {"key": "jobs/a/1/mashup.mp3", "peaks_key": "jobs/a/1/mashup.peaks.json"}}
    for job, paths in (
        (finish_job(world, world.alice, "separate", {"stems": []}, audio="a"), PATHS),
        (jobs.insert(world.owner, "mashup", {"stems": []}, user_id=world.alice).id, PATHS),
        (finish_job(world, world.alice, "mashup", old, stems=[]), PATHS[2:]),
    ):
        for path in paths:
            answer = get(world, job, path)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
