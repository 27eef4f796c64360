"""Requests of clients of Replicate, and jobs that answer them."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from mashup_worker.api.replicate.ids import uuid_of
from mashup_worker.api.replicate.versions import VERSIONS
from mashup_worker.licenses import CATALOGUE_LICENSES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from mashup_worker.db import jobs
    from tests.integration.api.world import World

RYAN, CJWBW = VERSIONS
SONG = "https://songs.test/song.mp3"
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(range(256)) * 40


def create(
    world: World,
    path: str = "/v1/predictions",
    headers: Mapping[str, str] | None = None,
    user: UUID | None = None,
    **body: Any,
) -> Any:
    asked = {"version": RYAN.id, "input": {"audio": SONG}, **body}
    given = {**world.as_user(user or world.alice), **(headers or {})}
    return world.client.post(path, json=asked, headers=given)


def created(world: World, **more: Any) -> dict[str, Any]:
    answer = create(world, **more)
    assert answer.status_code == 201, answer.text
    prediction: dict[str, Any] = answer.json()
    return prediction


def get(world: World, prediction: Mapping[str, Any], user: UUID | None = None) -> Any:
    path = f"/v1/predictions/{prediction['id']}"
    return world.client.get(path, headers=world.as_user(user or world.alice))


def claim(world: World, prediction: Mapping[str, Any]) -> jobs.Claim:
    return world.claim(uuid_of(prediction["id"], "prediction"))


def complete(world: World, claimed: jobs.Claim, kinds: Sequence[str], ending: str) -> None:
    """Complete a job as a worker does, with files in the store."""
    stems = [
        {"kind": kind, "key": f"jobs/{claimed.id}/1/{kind}.{ending}", "format": ending}
        for kind in kinds
    ]
    for stem in stems:
        put(world, stem["key"], stem["kind"].encode())
    model = {"name": "htdemucs", "license": CATALOGUE_LICENSES["htdemucs"].as_dict()}
    output = {"stems": stems, "warnings": ["audio: 0.03 s are silent"], "model": model}
    world.finish(claimed, output)


def put(world: World, key: str, body: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "body")
        path.write_bytes(body)
        world.context.storage.put(key, path, content_type="audio/mpeg", sha256="0" * 64)


def row_of(world: World, prediction: Mapping[str, Any]) -> dict[str, Any]:
    job_id = uuid_of(prediction["id"], "prediction")
    (row,) = world.rows("SELECT * FROM ai_jobs WHERE id = %s", job_id)
    return dict(row)
