"""Songs, and corrections of what their analyses found."""

from __future__ import annotations

import io
import os
import zipfile
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from mashup_worker.analysis.document import read_analysis
from mashup_worker.db import jobs
from mashup_worker.db.database import Database
from mashup_worker.mixing.grid import song_grid
from mashup_worker.settings import load_service_settings
from mashup_worker.worker.inputs import JobInputs
from tests.integration.api.rows import add_stem, finish_job
from tests.integration.api.test_frames import flac, put
from tests.unit.analysis.test_correction import song as analysis_of

if TYPE_CHECKING:
    from pathlib import Path

    from httpx2 import Response

    from tests.integration.api.world import World

ANALYSIS = analysis_of().as_dict()
KINDS = ("bass", "no_vocals", "vocals", "drums")


def separated(world: World, user: UUID | None = None, audio: str = "uploads/x/night.mp3") -> UUID:
    """A completed separation of Alice."""
    folder = f"jobs/{uuid4()}/1"
    output = {
        "stems": [{"kind": kind, "key": f"{folder}/{kind}.flac"} for kind in KINDS],
        "analysis": ANALYSIS,
        "model": {"name": "htdemucs", "device": "cpu", "precision": "fp32"},
    }
    return finish_job(world, user or world.alice, "separate", output, audio=audio)


def call(
    world: World, method: str, path: str, body: Any = None, *, user: UUID | None = None
) -> Response:
    headers = world.as_user(user or world.alice)
    return world.client.request(method, f"/api/{path}", headers=headers, json=body)


def correct(world: World, song: UUID, **body: Any) -> Response:
    return call(world, "PUT", f"songs/{song}/correction", body)


def test_songs_in_every_state_are_listed_once(world: World) -> None:
    done = separated(world)
    separated(world, world.bob)
    finish_job(world, world.alice, "master", {}, audio="uploads/x/other.mp3")
    waiting = jobs.insert(world.owner, "separate", {"audio": "a"}, user_id=world.alice).id
    failed = jobs.insert(world.owner, "separate", {"audio": "a"}, user_id=world.alice).id
    reason = {"code": "unsupported_audio", "message": "song.mp3: no decoder"}
    assert jobs.change_status(world.owner, "reject", id=failed, **reason)
    moment = datetime(2026, 5, 4, 12, tzinfo=UTC)
    for job, at in (
        (done, moment),
        (waiting, moment + timedelta(1)),
        (failed, moment + timedelta(1)),
    ):
        world.owner.execute("UPDATE ai_jobs SET created_at = %s WHERE id = %s", [at, job])
    newest = [*sorted((str(waiting), str(failed)), reverse=True), str(done)]
    page = call(world, "GET", "songs").json()
    assert ([one["id"] for one in page["items"]], page["next"]) == (newest, None)
    found, cursor = [], ""
    while cursor is not None:
        page = call(world, "GET", f"songs?limit=1{cursor and f'&cursor={cursor}'}").json()
        found += [one["id"] for one in page["items"]]
        cursor = page["next"]
    assert found == newest
    by_id = {one["id"]: one for one in call(world, "GET", "songs").json()["items"]}
    assert by_id[str(waiting)] | {"created_at": None} == {
        "id": str(waiting),
        "title": "a",
        "file_name": "a",
        "status": "queued",
        "progress": 0,
        "stage": None,
        "error_code": None,
        "error_message": None,
        "created_at": None,
        "duration_s": None,
        "tempo_bpm": None,
        "tempo_stable": None,
        "key": None,
        "camelot": None,
        "model": None,
        "license": None,
        "correction": None,
        "stems": [],
    }
    assert by_id[str(failed)]["error_code"] == "unsupported_audio"
    assert by_id[str(failed)]["error_message"] == "song.mp3: no decoder"


def test_a_song_has_its_stems_and_its_analysis(world: World) -> None:
    song = separated(world)
    found = call(world, "GET", f"songs/{song}").json()
    assert found["title"] == "night"
    assert found["file_name"] == "night.mp3"
    facts = ("duration_s", "tempo_bpm", "tempo_stable", "key", "camelot", "model", "correction")
    assert [found[name] for name in facts] == [20, 120, True, "A minor", "8A", "htdemucs", None]
    assert [stem["kind"] for stem in found["stems"]] == ["vocals", "drums", "bass", "no_vocals"]
    assert found["analysis"] == ANALYSIS
    (listed,) = call(world, "GET", "songs").json()["items"]
    assert listed == {name: value for name, value in found.items() if name != "analysis"}
    own = call(world, "GET", f"stems/{found['stems'][0]['id']}").json()
    assert own | found["stems"][0] == own
    assert (own["is_public"], own["mashup_id"], own["job_id"]) == (False, None, str(song))


@pytest.mark.parametrize(
    ("audio", "title"),
    [
        ("https://x.example/a/When%20the%20Night.flac?sig=1", "When the Night"),
        ("uploads/x/100%25.wav", "100%25"),
        ("https://x.example/", "song"),
        ("s3://b/Björk - Jóga", "Björk - Jóga"),
    ],
)
def test_titles_are_names_of_files(world: World, audio: str, title: str) -> None:
    jobs.insert(world.owner, "separate", {"audio": audio}, user_id=world.alice)
    (found,) = call(world, "GET", "songs").json()["items"]
    assert found["title"] == title


def test_stems_have_the_title_of_their_song_for_its_user_only(world: World) -> None:
    separated(world, audio="https://x.example/a/When%20the%20Night.flac")
    world.owner.execute("UPDATE stems SET is_public = true")
    for user, title in ((world.alice, "When the Night"), (world.bob, None)):
        stems = call(world, "GET", "stems", user=user).json()["items"]
        assert [stem["title"] for stem in stems] == [title] * len(KINDS)
        other = add_stem(world, user, tempo_bpm=ANALYSIS["tempo_bpm"])
        found = call(world, "GET", f"stems?compatible_with={other}", user=user).json()["items"]
        assert found[0]["title"] == title
        details = call(world, "GET", f"stems/{stems[0]['id']}", user=user).json()
        assert (details["title"], details["provenance"]["title"]) == (title, title)


def test_inputs_and_outputs_of_sql_users_are_no_errors(world: World) -> None:
    documents: tuple[Any, ...] = ([], "x", {"audio": 5}, {"audio": None}, {"audio": {"a": 1}})
    for document in documents:
        jobs.insert(world.owner, "separate", document, user_id=world.alice)
    finish_job(world, world.alice, "separate", {"stems": [], "analysis": None}, audio="a")
    assert len(call(world, "GET", "songs").json()["items"]) == 6


def test_a_correction_holds_for_song_and_stems(world: World) -> None:
    song = separated(world)
    change = {"tempo_factor": 0.5, "downbeat_shift": 1, "key": "D# minor"}
    answer = correct(world, song, **change)
    assert answer.status_code == 200
    found = answer.json()
    assert found["correction"] == change | {"key": "Eb minor"}
    assert (found["tempo_bpm"], found["key"], found["camelot"]) == (60.0, "Eb minor", "2A")
    assert len(found["analysis"]["beats_s"]) == 16
    assert found["analysis"]["downbeats_s"][0] == pytest.approx(0.3 + 0.5 * 3)
    assert found["analysis"]["tempo_bpm"] == 60.0
    assert call(world, "GET", f"songs/{song}").json() == found
    (listed,) = call(world, "GET", "songs").json()["items"]
    assert listed == {name: value for name, value in found.items() if name != "analysis"}
    assert {(stem["tempo_bpm"], stem["key"]) for stem in found["stems"]} == {(60.0, "Eb minor")}

    def stems(query: str) -> int:
        return len(call(world, "GET", f"stems?{query}").json()["items"])

    assert stems("tempo_min=55&tempo_max=65&camelot=2A") == 4
    assert stems("tempo_min=115") == stems("key=Am") == 0
    # The result of the job stays as the worker wrote it.
    assert call(world, "GET", f"jobs/{song}").json()["output_data"]["analysis"] == ANALYSIS
    twice = correct(world, song, tempo_factor=2).json()
    assert twice["correction"] == {"tempo_factor": 2.0, "downbeat_shift": 0, "key": None}
    assert (twice["tempo_bpm"], twice["key"]) == (240.0, "A minor")
    assert {stem["tempo_bpm"] for stem in twice["stems"]} == {240.0}
    between = correct(world, song, downbeat_shift=0.5).json()["analysis"]
    beats_s = ANALYSIS["beats_s"]
    assert between["beats_s"][0] == pytest.approx((beats_s[0] + beats_s[1]) / 2)


def test_a_reference_by_job_is_corrected(world: World) -> None:
    """A song whose stems are in no registry, such as one of a job without a user."""
    output = {"stems": [], "analysis": ANALYSIS}
    song = finish_job(world, world.alice, "separate", output, audio="a")
    separated(world)
    query = f"stems?kind=drums&compatible_with={song}"
    (before,) = call(world, "GET", query).json()["items"]
    correct(world, song, key="E major", tempo_factor=0.5)
    (after,) = call(world, "GET", query).json()["items"]
    assert before["compatibility"]["key"]["camelot_distance"] == 0
    assert after["compatibility"]["key"]["camelot_distance"] == 5
    assert after["compatibility"]["tempo"]["factor"] == 2.0


def test_a_correction_can_be_removed(world: World) -> None:
    song = separated(world)
    before = call(world, "GET", f"songs/{song}").json()
    nothing: dict[str, Any] = {"tempo_factor": 1.0, "downbeat_shift": 0, "key": None}
    for method, body, status in (("DELETE", None, 204), ("PUT", nothing, 200), ("PUT", {}, 200)):
        assert correct(world, song, tempo_factor=2.0, key="C major").json()["correction"]
        for _ in range(2):
            answer = call(world, method, f"songs/{song}/correction", body)
            assert answer.status_code == status
            assert call(world, "GET", f"songs/{song}").json() == before
    assert world.rows("SELECT 1 FROM mashup_worker.song_corrections") == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"tempo_factor": 3}, "tempo_factor"),
        ({"tempo_factor": True}, "tempo_factor"),
        ({"tempo_factor": "2"}, "tempo_factor"),
        ({"downbeat_shift": 1.25}, "downbeat_shift"),
        ({"downbeat_shift": 65}, "downbeat_shift"),
        ({"key": "H minor"}, "key"),
        ({"key": "Am"}, "key"),
    ],
)
def test_invalid_corrections_are_refused(world: World, body: dict[str, Any], field: str) -> None:
    answer = correct(world, separated(world), **body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


def test_only_completed_songs_can_be_corrected(world: World) -> None:
    waiting = jobs.insert(world.owner, "separate", {"audio": "a"}, user_id=world.alice).id
    answer = correct(world, waiting, tempo_factor=2)
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    master = finish_job(world, world.alice, "master", {}, audio="a")
    assert correct(world, master, tempo_factor=2).status_code == 404
    assert world.rows("SELECT 1 FROM mashup_worker.song_corrections") == []


def test_songs_of_others_are_not_there(world: World) -> None:
    song, missing = separated(world), uuid4()
    world.owner.execute("UPDATE stems SET is_public = true")
    correct(world, song, tempo_factor=2)
    for method, path in (
        ("GET", "songs/{}"),
        ("PUT", "songs/{}/correction"),
        ("DELETE", "songs/{}/correction"),
    ):
        body = {"tempo_factor": 0.5} if method == "PUT" else None
        other, absent = (
            call(world, method, path.format(one), body, user=world.bob) for one in (song, missing)
        )
        assert other.status_code == absent.status_code == 404, path
        assert other.text == absent.text.replace(str(missing), str(song))
        assert world.client.request(method, f"/api/{path.format(song)}").status_code == 401
    assert call(world, "GET", "songs", user=world.bob).json()["items"] == []
    assert call(world, "GET", f"songs/{song}").json()["correction"]["tempo_factor"] == 2
    reader = world.as_service("read", user=world.alice)
    refused = world.client.put(f"/api/songs/{song}/correction", headers=reader, json={})
    assert refused.status_code == 403


def test_all_readers_of_a_stem_see_its_correction(world: World) -> None:
    song = separated(world)
    world.owner.execute("UPDATE stems SET is_public = true")
    correct(world, song, key="C major")
    items = call(world, "GET", "stems", user=world.bob).json()["items"]
    assert {stem["key"] for stem in items} == {"C major"}


def test_stems_of_service_jobs_without_a_mashup_are_not_registered(world: World) -> None:
    output = {"stems": [{"kind": "vocals", "key": "jobs/a/1/vocals.flac"}], "analysis": None}
    finish_job(world, None, "separate", output, audio="a")
    finish_job(world, world.alice, "separate", output, audio="a", mashup_id=str(uuid4()))
    assert world.rows("SELECT 1 FROM stems") == []


def test_later_mashups_read_corrected_analyses(
    world: World, worker_database_url: str, tmp_path: Path
) -> None:
    song = separated(world)
    stem = call(world, "GET", f"songs/{song}").json()["stems"][0]["id"]
    (row,) = world.rows("SELECT storage_key FROM stems WHERE id = %s", stem)
    put(world, tmp_path, row["storage_key"], flac(0.5))
    result = f"jobs/{song}/1/vocals.flac"  # a file of a mashup, by its key
    put(world, tmp_path, result, flac(0.5))

    def tempi(user: UUID) -> list[float]:
        """Tempi that a mashup job of a user reads, by stem and by file."""
        with Database(worker_database_url) as database:
            inputs = JobInputs(
                storage=world.context.storage,
                database=database,
                settings=load_service_settings(),
                user_id=user,
                folder=tmp_path,
                on_progress=lambda _stage, _share: None,
            )
            found = [inputs.fetch_stem(UUID(stem), "a").analysis, inputs.known_analysis(result)]
        analyses = [read_analysis(one) for one in found]
        return [song_grid(one, "song").tempo_bpm for one in analyses if one is not None]

    assert tempi(world.alice) == [120.0, 120.0]
    correct(world, song, tempo_factor=0.5, downbeat_shift=1)
    world.owner.execute("UPDATE stems SET is_public = true")
    assert tempi(world.alice) == tempi(world.bob) == [60.0, 60.0]


def test_a_takedown_of_a_song_removes_its_correction(world: World) -> None:
    song = separated(world)
    correct(world, song, tempo_factor=2)
    world.owner.execute("SELECT mashup_worker.purge_jobs(ARRAY[%s::uuid])", [song])
    assert world.rows("SELECT 1 FROM mashup_worker.song_corrections") == []
    assert call(world, "GET", "songs").json()["items"] == []


def test_all_stems_come_as_one_archive(world: World, tmp_path: Path) -> None:
    song = separated(world, audio="uploads/x/Björk: Jóga.mp3")
    files = {}
    for row in world.rows("SELECT kind, storage_key FROM stems"):
        files[f"Björk_ Jóga/{row['kind']}.flac"] = content = os.urandom(300_000)
        put(world, tmp_path, row["storage_key"], content)
    path = f"/api/songs/{song}/stems.zip"
    answer = world.client.get(path, headers=world.as_user(world.alice))
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Content-Length"] == str(len(answer.content))
    name = answer.headers["Content-Disposition"]
    assert 'filename="Bj_rk_ J_ga - stems.zip"' in name
    assert "filename*=UTF-8''Bj%C3%B6rk_%20J%C3%B3ga%20-%20stems.zip" in name
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == [
            f"Björk_ Jóga/{kind}.flac" for kind in ("vocals", "drums", "bass", "no_vocals")
        ]
        assert {one: archive.read(one) for one in archive.namelist()} == files
    head = world.client.head(path, headers=world.as_user(world.alice))
    assert head.headers["Content-Length"] == answer.headers["Content-Length"]
    assert head.content == b""


def test_archives_of_others_and_of_nothing_are_not_there(world: World) -> None:
    song, missing = separated(world), uuid4()
    world.owner.execute("UPDATE stems SET is_public = true")
    for one, user in ((song, world.bob), (missing, world.alice), (song, world.alice)):
        answer = call(world, "GET", f"songs/{one}/stems.zip", user=user)
        assert answer.status_code == 404  # the last: its files are not in the store
    waiting = jobs.insert(world.owner, "separate", {"audio": "a"}, user_id=world.alice).id
    answer = call(world, "GET", f"songs/{waiting}/stems.zip")
    assert (answer.status_code, answer.json()["detail"]) == (404, f"song {waiting}: has no stems")
