"""Frame indexes: served, made where they are missing, and gone with their files."""

from __future__ import annotations

import hashlib
import io
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import numpy as np
import pytest
import soundfile

from mashup_worker.audio.frame_index import index_frames
from mashup_worker.audio.player_names import frame_index_name
from mashup_worker.db.database import Database
from mashup_worker.errors import StorageFailed
from mashup_worker.settings import load_service_settings
from mashup_worker.worker.orphans import sweep_results
from mashup_worker.worker.purge import Purge, UserTarget
from tests.integration.api.rows import add_mashup, add_stem, finish_job

if TYPE_CHECKING:
    from pathlib import Path

    from httpx2 import Response

    from tests.integration.api.world import World


def flac(duration_s: float = 3.0) -> bytes:
    noise = np.random.default_rng(4).uniform(-0.1, 0.1, (round(44_100 * duration_s), 2))
    file = io.BytesIO()
    soundfile.write(file, noise, 44_100, "PCM_16", format="FLAC")
    return file.getvalue()


def put(world: World, folder: Path, key: str, content: bytes) -> None:
    file = folder / "file"
    file.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    world.context.storage.put(key, file, content_type="audio/flac", sha256=digest)


def stem_at(world: World, key: str) -> UUID:
    return add_stem(world, world.alice, storage_key=key)


def frames(world: World, stem: UUID, **headers: str) -> Response:
    own = world.as_user(world.alice)
    return world.client.get(f"/api/stems/{stem}/frames", headers=own | headers)


def test_a_missing_index_is_made_once_and_kept(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, content = f"jobs/{uuid4()}/1/vocals.flac", flac()
    put(world, tmp_path, key, content)
    stem, storage = stem_at(world, key), world.context.storage
    read = list[str]()
    read_range = type(storage).read_range

    def counting(self: Any, key: str, *part: int) -> Any:
        read.append(key)
        return read_range(self, key, *part)

    monkeypatch.setattr(type(storage), "read_range", counting)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: frames(world, stem), range(6)))
    assert [answer.status_code for answer in answers] == [200] * 6
    expected = json.loads(index_frames([content]).as_json())
    assert all(answer.json() == expected for answer in answers)
    assert read.count(key) == 1
    assert answers[0].headers["Content-Type"] == "application/json"
    again = frames(world, stem, **{"If-None-Match": answers[-1].headers["ETag"]})
    assert again.status_code == 304
    audio = world.client.get(
        f"/api/stems/{stem}/audio",
        headers=world.as_user(world.alice)
        | {"Range": f"bytes={expected['offsets'][3]}-{expected['offsets'][4] - 1}"},
    )
    assert audio.content == content[expected["offsets"][3] : expected["offsets"][4]]


def test_an_index_that_cannot_be_stored_is_served(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, content = f"jobs/{uuid4()}/1/vocals.flac", flac()
    put(world, tmp_path, key, content)
    stem, storage = stem_at(world, key), world.context.storage

    def refuse(*_: Any, **__: Any) -> None:
        raise StorageFailed("read-only")

    with monkeypatch.context() as change:
        change.setattr(type(storage), "put", refuse)
        answer = frames(world, stem)
    assert answer.json() == json.loads(index_frames([content]).as_json())
    assert storage.head(frame_index_name(key)) is None


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("vocals.mp3", b"ID3", "the audio is no FLAC file"),
        ("vocals.flac", flac()[:-1], "damaged"),
        ("vocals.flac", b"RIFF", "does not start with a stream"),
        ("vocals.flac", None, "file: not found"),
    ],
)
def test_other_files_have_none(
    world: World, tmp_path: Path, name: str, content: bytes | None, reason: str
) -> None:
    key = f"jobs/{uuid4()}/1/{name}"
    if content is not None:
        put(world, tmp_path, key, content)
    answer = frames(world, stem_at(world, key))
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert reason in answer.json()["detail"]
    assert world.context.storage.head(frame_index_name(key)) is None


def test_a_file_that_is_too_large_has_none(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = f"jobs/{uuid4()}/1/vocals.flac"
    put(world, tmp_path, key, flac())
    inputs = world.context.settings.inputs.model_copy(update={"max_fetch_bytes": 1_000})
    settings = replace(world.context.settings, inputs=inputs)
    monkeypatch.setitem(vars(world.context), "settings", settings)
    answer = frames(world, stem_at(world, key))
    assert answer.status_code == 404
    assert "more than 1000" in answer.json()["detail"]


def test_private_stems_and_jobs_of_others_are_not_there(world: World, tmp_path: Path) -> None:
    key = f"jobs/{uuid4()}/1/mix.flac"
    put(world, tmp_path, key, flac())
    stem = stem_at(world, key)
    job = finish_job(world, world.alice, "master", {"audio": {"key": key}}, audio="a")
    for path in (f"/api/stems/{stem}/frames", f"/api/jobs/{job}/frames"):
        missing, target = uuid4(), path.split("/")[3]
        other = world.client.get(path, headers=world.as_user(world.bob))
        absent = world.client.get(
            path.replace(target, str(missing)), headers=world.as_user(world.bob)
        )
        assert other.status_code == absent.status_code == 404
        assert other.text == absent.text.replace(str(missing), target)
        assert world.context.storage.head(frame_index_name(key)) is None
        assert world.client.get(path).status_code == 401
    for path in (f"/api/stems/{stem}/frames", f"/api/jobs/{job}/frames"):
        assert world.client.get(path, headers=world.as_user(world.alice)).status_code == 200
        head = world.client.head(path, headers=world.as_user(world.alice))
        assert (head.status_code, head.content) == (200, b"")


@pytest.fixture
def song(world: World, tmp_path: Path) -> tuple[UUID, str]:
    """A separated song of Alice with files in the store, and the key of its vocals."""
    mashup = add_mashup(world, world.alice)
    job = finish_job(world, world.alice, "separate", {}, audio="a", mashup_id=str(mashup))
    key = f"jobs/{job}/1/vocals.flac"
    # A completed job is read-only, and the key has its id.
    world.owner.execute("ALTER TABLE ai_jobs DISABLE TRIGGER ai_jobs_guard")
    world.owner.execute(
        "UPDATE ai_jobs SET output_data = jsonb_build_object('key', %s::text, 'peaks_key',"
        " %s::text) WHERE id = %s",
        [key, f"jobs/{job}/1/vocals.peaks.json", job],
    )
    world.owner.execute("ALTER TABLE ai_jobs ENABLE TRIGGER ai_jobs_guard")
    put(world, tmp_path, key, flac())
    put(world, tmp_path, f"jobs/{job}/1/vocals.peaks.json", b"{}")
    add_stem(world, world.alice, storage_key=key, job_id=job)
    return job, key


def test_a_sweep_keeps_the_index_of_a_file(
    world: World, song: tuple[UUID, str], worker_database_url: str, tmp_path: Path
) -> None:
    job, key = song
    orphan = f"jobs/{job}/0/bass.frames.json"
    put(world, tmp_path, orphan, b"{}")
    (stem,) = world.rows("SELECT id FROM stems WHERE storage_key = %s", key)
    assert frames(world, stem["id"]).status_code == 200
    results = load_service_settings().results.model_copy(update={"orphan_grace_s": 0.001})
    settings = replace(load_service_settings(), results=results)
    with Database(worker_database_url) as database:
        assert sweep_results(database, settings, dry_run=False).removed == (orphan,)
    assert world.context.storage.head(frame_index_name(key)) is not None


def test_a_takedown_removes_the_index(
    world: World, song: tuple[UUID, str], migrated_url: str
) -> None:
    job, key = song
    (stem,) = world.rows("SELECT id FROM stems WHERE storage_key = %s", key)
    assert frames(world, stem["id"]).status_code == 200
    with Database(migrated_url) as database:
        purge = Purge(
            database=database,
            storage=world.context.storage,
            redis=None,
            settings=load_service_settings(),
        )
        removed = purge.run(UserTarget(world.alice))
    assert frame_index_name(key) in removed.keys
    assert not list(world.context.storage.list(f"jobs/{job}/"))


def test_an_index_that_is_made_during_a_takedown_is_removed(
    world: World, song: tuple[UUID, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file vanishes while it is indexed."""
    _, key = song
    (stem,) = world.rows("SELECT id FROM stems WHERE storage_key = %s", key)
    storage = world.context.storage
    store = type(storage).put

    def deleting(self: Any, *what: Any, **how: Any) -> Any:
        storage.delete([key])
        return store(self, *what, **how)

    monkeypatch.setattr(type(storage), "put", deleting)
    assert frames(world, stem["id"]).status_code == 404
    assert storage.head(frame_index_name(key)) is None
