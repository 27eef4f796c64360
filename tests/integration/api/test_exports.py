"""Exports of songs: the job that makes them, and the files of jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from mashup_worker.db import jobs
from mashup_worker.queue.validation import read_input
from tests.integration.api.rows import finish_job
from tests.integration.api.test_frames import put
from tests.integration.api.test_songs import KINDS, call, separated

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.api.world import World


def test_a_job_exports_the_stems_of_a_song(world: World) -> None:
    song = separated(world)
    world.owner.execute(
        "UPDATE stems SET storage_key = format('jobs/%%s/1/%%s.flac', job_id, kind) "
        "WHERE job_id = %s",
        [song],
    )
    formats = ["dawproject", "rekordbox", "dawproject"]
    answer = call(world, "POST", f"songs/{song}/exports", {"formats": formats})
    assert answer.status_code == 202
    job = jobs.find(world.owner, UUID(answer.json()["jobId"]))
    assert job is not None
    assert (job.job_type, job.user_id) == ("analyze", world.alice)
    assert job.input_data["export"] == ["dawproject", "rekordbox"]
    assert job.input_data["stems"].keys() == {*KINDS}
    title = call(world, "GET", f"songs/{song}").json()["title"]
    assert job.input_data["title"] == title
    _, warnings = read_input(job.job_type, job.input_data)
    assert warnings == ()


def test_a_mashup_is_repeated_with_exports_and_changes_nothing_else(world: World) -> None:
    world.subscribe(world.alice, "pro")
    given = {
        "stems": [{"audio": "https://example.com/a.mp3", "kind": "mix"}],
        "config": {"seed": 7},
    }
    others = {"mashup_id": str(uuid4()), "webhook": "https://example.com/w"}
    done = finish_job(world, world.alice, "mashup", {"audio": {}}, **given, **others)
    path, body = f"jobs/{done}/exports", {"formats": ["click", "click"]}
    answer = call(world, "POST", path, body)
    assert answer.status_code == 202, answer.text
    job = jobs.find(world.owner, UUID(answer.json()["jobId"]))
    assert job is not None
    assert (job.job_type, job.user_id, job.retry_of) == ("mashup", world.alice, done)
    assert job.input_data == given | {"export": ["click"]}
    assert call(world, "POST", f"jobs/{job.id}/exports", body).status_code == 409
    assert call(world, "POST", path, body, user=world.bob).status_code == 404
    song = call(world, "POST", f"jobs/{separated(world)}/exports", body)
    assert (song.status_code, "by /api/songs" in song.json()["detail"]) == (409, True)


def test_songs_of_others_and_unknown_formats_are_refused(world: World) -> None:
    song = separated(world)
    body = {"formats": ["click"]}
    assert call(world, "POST", f"songs/{song}/exports", body, user=world.bob).status_code == 404
    assert call(world, "POST", f"songs/{uuid4()}/exports", body).status_code == 404
    wrongs: list[dict[str, object]] = [{"formats": []}, {"formats": ["mp4"]}, {}]
    for wrong in wrongs:
        assert call(world, "POST", f"songs/{song}/exports", wrong).status_code == 422


def test_the_file_of_a_job_is_saved_under_the_name_of_the_song(
    world: World, tmp_path: Path
) -> None:
    key = f"jobs/{uuid4()}/1/export-native-stem.stem.m4a"
    put(world, tmp_path, key, b"sound")
    output = {"analysis": {}, "exports": [{"format": "native-stem", "key": key}]}
    job = finish_job(world, world.alice, "analyze", output, audio="a")
    path = f"jobs/{job}/exports"
    found = call(world, "GET", f"{path}/native-stem?name=night/1")
    assert (found.status_code, found.content) == (200, b"sound")
    assert found.headers["Content-Type"] == "audio/mp4"
    saved = found.headers["Content-Disposition"]
    assert saved.startswith('attachment; filename="night_1 - native-stem.stem.m4a"')
    plain = call(world, "GET", f"{path}/native-stem").headers["Content-Disposition"]
    assert 'filename="export-native-stem.stem.m4a"' in plain
    assert call(world, "GET", f"{path}/click").status_code == 404
    assert call(world, "GET", f"{path}/mp4").status_code == 422
    assert call(world, "GET", f"{path}/native-stem", user=world.bob).status_code == 404
