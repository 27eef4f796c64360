"""Files of clients of Replicate."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from mashup_worker.api.replicate.ids import short_id
from tests.integration.api.predictions import WAV, create, created, put, row_of

if TYPE_CHECKING:
    from tests.integration.api.world import World

pytestmark = pytest.mark.usefixtures("without_limits")


def upload(world: World, user: UUID, name: str = "my song.mp3", body: bytes = WAV) -> Any:
    """Upload a file as the npm client does, whose metadata is a file too."""
    return world.client.post(
        "/v1/files",
        files={"content": (name, body, "audio/mpeg"), "metadata": ("blob", b"{}")},
        headers=world.as_user(user),
    )


def test_files_are_uploaded_read_listed_and_deleted(world: World) -> None:
    answer = upload(world, world.alice)
    assert answer.status_code == 201
    file = answer.json()
    assert file == {
        "id": file["id"],
        "name": "my song.mp3",
        "content_type": "audio/mpeg",
        "size": len(WAV),
        "etag": sha256(WAV).hexdigest(),
        "checksums": {"sha256": sha256(WAV).hexdigest()},
        "metadata": {},
        "created_at": file["created_at"],
        "expires_at": None,
        "urls": {"get": f"http://testserver/v1/files/{file['id']}"},
    }
    path = f"/v1/files/{file['id']}"
    alice, bob = world.as_user(world.alice), world.as_user(world.bob)
    assert world.client.get(path, headers=alice).json() == file
    listed = {"previous": None, "next": None, "results": [file]}
    assert world.client.get("/v1/files", headers=alice).json() == listed
    assert world.client.get("/v1/files", headers=bob).json()["results"] == []
    assert world.client.get(path, headers=bob).status_code == 404
    assert world.client.delete(path, headers=bob).status_code == 404
    assert world.client.get(path).status_code == 401

    prediction = created(world, input={"audio": file["urls"]["get"]})
    key = row_of(world, prediction)["input_data"]["audio"]
    assert key.startswith(f"uploads/{world.alice}/files/{file['id']}/")
    assert prediction["input"]["audio"] == file["urls"]["get"]
    refused = create(world, user=world.bob, input={"audio": file["urls"]["get"]})
    assert "input.audio: file" in refused.json()["detail"]

    for headers, address, status in (
        (alice, file["urls"]["get"], 202),
        (bob, file["urls"]["get"], 404),
        (alice, "http://testserver/v1/files/elsewhere", 404),
        (alice, "http://testserver/api/jobs", 404),
    ):
        body = {"job_type": "master", "input": {"audio": address}}
        job = world.client.post("/api/jobs", json=body, headers=headers)
        assert job.status_code == status, job.text
        if status == 202:
            (row,) = world.rows("SELECT * FROM ai_jobs WHERE id = %s", job.json()["jobId"])
            assert row["input_data"]["audio"] == key

    assert world.client.delete(path, headers=alice).status_code == 204
    assert world.client.get(path, headers=alice).status_code == 404
    assert world.client.delete(path, headers=alice).status_code == 404


def test_lists_of_files_have_pages(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mashup_worker.api.replicate.routes.files._PAGE", 3)
    for number in range(5):
        put(world, f"uploads/{world.alice}/files/{short_id(uuid4())}/{'0' * 64}/{number}", b"x")
    headers = world.as_user(world.alice)
    first = world.client.get("/v1/files", headers=headers).json()
    assert len(first["results"]) == 3
    assert first["next"].startswith("http://testserver/v1/files?cursor=")
    second = world.client.get(first["next"].removeprefix("http://testserver"), headers=headers)
    assert second.json()["next"] is None
    names = [one["name"] for one in (*first["results"], *second.json()["results"])]
    assert sorted(names, key=int) == [str(number) for number in range(5)]


def test_forms_without_a_song_are_refused(world: World) -> None:
    for files in ({"file": ("a.mp3", b"x")}, {"metadata": ("blob", b"{}")}):
        answer = world.client.post("/v1/files", files=files, headers=world.as_user(world.alice))
        assert answer.status_code == 422
        assert "content" in answer.json()["detail"]
