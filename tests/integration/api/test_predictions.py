"""Predictions in the form of Replicate, as its clients ask for them."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from psycopg.types.json import Jsonb

from mashup_worker.api.replicate.ids import short_id, uuid_of
from mashup_worker.api.replicate.versions import VERSIONS
from mashup_worker.db import jobs
from mashup_worker.licenses import CATALOGUE_LICENSES
from mashup_worker.queue.status import CHANNEL, StatusView

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.integration.api.world import World

RYAN, CJWBW = VERSIONS
SONG = "https://songs.test/song.mp3"
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(range(256)) * 40
DATA_URL = f"data:audio/wav;base64,{base64.b64encode(WAV).decode()}"

PROGRESS = re.compile(r"^\s*(\d+)%\s*\|.+?\|\s*(\d+)/(\d+)")
"""Pattern with which the official clients find the progress in logs."""


@pytest.fixture(autouse=True)
def without_limits(world: World) -> None:
    for user in (world.alice, world.bob):
        world.subscribe(user, "studio")


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
    done = jobs.change_status(
        world.owner,
        "complete",
        **claimed.fence,
        output=Jsonb(output),
        result_digest=None,
        source_sha256=[],
        source_jobs=[],
    )
    assert done is not None


def put(world: World, key: str, body: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "body")
        path.write_bytes(body)
        world.context.storage.put(key, path, content_type="audio/mpeg", sha256="0" * 64)


def row_of(world: World, prediction: Mapping[str, Any]) -> dict[str, Any]:
    job_id = uuid_of(prediction["id"], "prediction")
    (row,) = world.rows("SELECT * FROM ai_jobs WHERE id = %s", job_id)
    return dict(row)


def test_a_new_prediction_has_all_fields_of_the_clients(world: World) -> None:
    given = {"audio": SONG, "model": "htdemucs_ft", "shifts": 2, "jobs": 0}
    prediction = created(world, input=given)
    here = f"http://testserver/v1/predictions/{prediction['id']}"
    assert re.fullmatch("[a-z0-9]{26}", prediction["id"])
    assert prediction == {
        "id": prediction["id"],
        "model": "ryan5453/demucs",
        "version": RYAN.id,
        "input": given,
        "output": None,
        "logs": "",
        "error": None,
        "status": "starting",
        "created_at": prediction["created_at"],
        "started_at": None,
        "completed_at": None,
        "deadline": None,
        "data_removed": False,
        "source": "api",
        "metrics": {"predict_time": None, "total_time": None},
        "urls": {
            "get": here,
            "cancel": f"{here}/cancel",
            "web": f"http://testserver/studio/songs/{uuid_of(prediction['id'], 'prediction')}",
        },
    }
    row = row_of(world, prediction)
    assert (row["user_id"], row["job_type"]) == (world.alice, "separate")
    assert row["input_data"] == {
        "audio": SONG,
        "model": "htdemucs_ft",
        "format": "mp3",
        "bitrate_kbps": 320,
        "analyze": False,
        "prediction": {
            "version": RYAN.id,
            "input": {"model": "htdemucs_ft", "shifts": 2, "jobs": 0},
        },
    }


@pytest.mark.parametrize(
    ("version", "asked", "kinds", "keys"),
    [
        (RYAN, {}, ["drums", "bass"], {"drums", "bass"}),
        (RYAN, {"stem": "vocals"}, ["vocals", "no_vocals"], {"vocals", "no_vocals"}),
        (CJWBW, {}, ["drums", "bass"], {"drums", "bass"}),
        (CJWBW, {"stem": "vocals"}, ["vocals", "no_vocals"], {"vocals", "other"}),
    ],
)
def test_a_prediction_runs_and_succeeds(
    world: World, version: Any, asked: dict[str, Any], kinds: list[str], keys: set[str]
) -> None:
    prediction = created(world, version=version.id, input={"audio": SONG, "shifts": 3, **asked})
    claimed = claim(world, prediction)
    jobs.heartbeat(world.owner, claimed, lease_s=60, progress=45, stage="separate")
    running = get(world, prediction).json()
    assert running["status"] == "processing"
    assert running["started_at"] is not None
    assert running["output"] is None
    first, *_, last = running["logs"].splitlines()
    assert first == "note: shifts: 3: no effect, the song is separated once"
    found = PROGRESS.match(last)
    assert found is not None
    assert found.groups() == ("45", "45", "100")
    assert last.endswith("[separate]")

    complete(world, claimed, kinds, "mp3")
    done = get(world, prediction).json()
    assert done["status"] == "succeeded"
    assert {key for key, url in done["output"].items() if url is not None} == keys
    assert len(done["output"]) == (len(keys) if version is RYAN else 6)
    assert 0 < done["metrics"]["predict_time"] <= done["metrics"]["total_time"]
    assert "warning: audio: 0.03 s are silent" in done["logs"]
    assert "model: htdemucs, license scientific-only (restricted)\n" in done["logs"]
    assert "100/100" in done["logs"]
    rest = kinds[-1]
    url = done["output"][rest if rest in done["output"] else "other"]
    assert url.startswith("http://testserver/v1/files/")
    stem = world.client.get(url.removeprefix("http://testserver"), headers={"Range": "bytes=1-2"})
    assert (stem.status_code, stem.content) == (206, rest.encode()[1:3])


def test_a_failed_prediction_has_its_error(world: World) -> None:
    prediction = created(world)
    claimed = claim(world, prediction)
    jobs.change_status(world.owner, "fail", **claimed.fence, code="too_long", message="audio: long")
    failed = get(world, prediction).json()
    assert (failed["status"], failed["error"], failed["output"]) == ("failed", "audio: long", None)
    assert "error: too_long: audio: long" in failed["logs"]
    assert failed["metrics"]["predict_time"] > 0


def test_predictions_of_models_and_references(world: World) -> None:
    for path, body in (
        ("/v1/models/cjwbw/demucs/predictions", {"version": None}),
        ("/v1/predictions", {"version": f"cjwbw/demucs:{CJWBW.id}"}),
        ("/v1/predictions", {"version": "cjwbw/demucs"}),
    ):
        assert created(world, path=path, **body)["version"] == CJWBW.id
    assert create(world, path="/v1/models/meta/demucs/predictions").status_code == 404


INVALID: tuple[tuple[dict[str, Any], str], ...] = (
    ({"version": None}, "version: missing"),
    ({"version": "0" * 64}, "not served here"),
    ({"input": {}}, "input.audio"),
    ({"input": {"audio": 3}}, "input.audio"),
    ({"input": "x"}, "input"),
    ({"input": {"audio": SONG, "model": "x"}}, "input.model: x: no such model; use one of"),
    ({"input": {"audio": SONG, "stem": "kazoo"}}, "input.stem"),
    ({"input": {"audio": SONG, "stem": "piano"}}, "input.stem: htdemucs has no piano"),
    ({"input": {"audio": "song.mp3"}}, "input.audio: not an https or data URL"),
    ({"input": {"audio": "uploads/x/y.mp3"}}, "input.audio: not an https or data URL"),
    ({"input": {"audio": "s3://bucket/y.mp3"}}, "input.audio: not an https or data URL"),
    ({"input": {"audio": "http://songs.test/a"}}, "input.audio: not an https or data URL"),
    ({"input": {"audio": f"http://testserver/v1/files/{'a' * 26}"}}, "input.audio: file"),
    ({"input": {"audio": "http://testserver/v1/files/x/y?expires=1&sig=2"}}, "input.audio: "),
    ({"input": {"audio": "http://testserver/v1/predictions"}}, "input.audio: not an address"),
    ({"input": {"audio": "data:audio/wav,abc"}}, "data URL: not in base64"),
    ({"webhook": "ftp://a.test"}, "webhook"),
    ({"webhook": "https://a.test", "webhook_events_filter": ["end"]}, "webhook_events_filter"),
)


def test_invalid_requests_are_refused_in_the_form_of_replicate(world: World) -> None:
    for body, named in INVALID:
        answer = create(world, **body)
        assert answer.status_code == 422, body
        assert answer.headers["Content-Type"] == "application/problem+json"
        problem = answer.json()
        assert problem["status"] == 422
        assert problem["title"]
        assert named in problem["detail"]
    assert world.rows("SELECT id FROM ai_jobs") == []


def test_a_data_url_becomes_a_file_of_the_store(world: World) -> None:
    prediction = created(world, input={"audio": DATA_URL})
    key = row_of(world, prediction)["input_data"]["audio"]
    assert key.startswith(f"uploads/{world.alice}/files/")
    assert key.endswith("/audio.wav")
    storage = world.context.storage
    found = storage.head(key)
    assert found is not None
    assert found.bytes == len(WAV)
    assert DATA_URL not in json.dumps(row_of(world, prediction), default=str)
    url = get(world, prediction).json()["input"]["audio"]
    assert re.fullmatch("http://testserver/v1/files/[a-z2-7]{26}", url)
    again = created(world, input={"audio": url})
    assert row_of(world, again)["input_data"]["audio"] == key
    assert create(world, user=world.bob, input={"audio": url}).status_code == 422


def test_the_link_of_an_output_is_an_input(world: World) -> None:
    prediction = created(world)
    complete(world, claim(world, prediction), ["vocals"], "mp3")
    url = get(world, prediction).json()["output"]["vocals"]
    again = created(world, input={"audio": url})
    job_id = uuid_of(prediction["id"], "prediction")
    assert row_of(world, again)["input_data"]["audio"] == f"jobs/{job_id}/1/vocals.mp3"
    assert create(world, input={"audio": url[:-1] + "~"}).status_code == 422


def test_nothing_is_kept_of_a_refused_data_url(world: World) -> None:
    storage = world.context.storage
    for body in (
        {"input": {"audio": DATA_URL, "model": "x"}},
        {"input": {"audio": SONG, "other": DATA_URL}, "version": "x"},
        {"input": {"audio": DATA_URL}, "webhook": "nowhere"},
    ):
        assert create(world, **body).status_code == 422
    unknown = UUID(int=7)  # without a profile, so the row is refused
    assert create(world, input={"audio": DATA_URL}, user=unknown).status_code == 422
    world.owner.execute(
        "DELETE FROM subscriptions; UPDATE mashup_worker.tiers SET separations_per_day = 0"
    )
    over = create(world, input={"audio": DATA_URL})
    assert (over.status_code, over.json()["quota"]["tier"]) == (402, "free")
    assert list(storage.list("uploads/")) == []
    assert world.rows("SELECT id FROM ai_jobs") == []


def test_unknown_keys_are_neither_stored_nor_logged(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The npm client posts its own token as input where it encodes files as data URLs."""
    secret = "r8_secret_of_the_client"
    client = {"auth": secret, "baseUrl": "https://host/v1", "predictions": {}, secret: 1}
    refused = create(world, input=client)
    assert refused.status_code == 422
    assert "input.audio: missing" in refused.json()["detail"]
    prediction = created(world, input={"audio": SONG, **client}, **{secret: secret})
    assert prediction["input"] == {"audio": SONG}
    for text in (refused.text, caplog.text, str(world.rows("SELECT * FROM ai_jobs"))):
        assert secret not in text


def test_a_request_without_a_token_reads_no_body(world: World) -> None:
    def body() -> Any:
        yield b'{"version": '
        raise AssertionError("the body was read")

    for path in ("/v1/predictions", "/v1/models/cjwbw/demucs/predictions"):
        answer = world.client.post(path, content=body())
        assert answer.status_code == 401


def test_bodies_have_a_limit(world: World) -> None:
    limit = world.context.settings.api.max_body_bytes
    headers = {**world.as_user(world.alice), "Content-Length": str(limit + 1)}
    answer = world.client.post("/v1/predictions", content=b"{}", headers=headers)
    assert answer.status_code == 413
    long = {"version": RYAN.id, "input": {"audio": SONG, "x": "y" * 300_000}}
    headers = world.as_user(world.alice)
    assert world.client.post("/v1/predictions", json=long, headers=headers).status_code == 413


def test_waiting_returns_the_result(world: World) -> None:
    """As the npm client asks: `wait` with all that `run` waits for."""

    def work() -> None:
        end_s = time.monotonic() + 20
        while not (rows := world.rows("SELECT id FROM ai_jobs")):
            assert time.monotonic() < end_s
        complete(world, claim(world, {"id": short_id(rows[0]["id"])}), ["vocals"], "mp3")
        job = jobs.find(world.owner, rows[0]["id"])
        assert job is not None
        world.context.redis.publish(CHANNEL, StatusView.from_job(job).published())

    worker = threading.Thread(target=work)
    worker.start()
    prediction = created(world, headers={"Prefer": "wait=20"})
    worker.join()
    assert prediction["status"] == "succeeded"
    assert prediction["output"]["vocals"].startswith("http://testserver/v1/files/")


def test_a_wait_that_ends_early_says_starting(world: World) -> None:
    """The clients take every other status for the end."""

    def work() -> None:
        end_s = time.monotonic() + 20
        while not (rows := world.rows("SELECT id FROM ai_jobs")):
            assert time.monotonic() < end_s
        claim(world, {"id": short_id(rows[0]["id"])})

    worker = threading.Thread(target=work)
    worker.start()
    started_s = time.monotonic()
    prediction = created(world, headers={"Prefer": "wait=1"})
    assert 1 <= time.monotonic() - started_s < 10
    worker.join()
    assert prediction["status"] == "starting"
    assert get(world, prediction).json()["status"] == "processing"


def test_a_wait_ends_when_the_process_stops(world: World) -> None:
    threading.Timer(0.5, lambda: world.client.portal.call(world.context.events.end)).start()  # type: ignore[union-attr]
    started_s = time.monotonic()
    assert created(world, headers={"Prefer": "wait"})["status"] == "starting"
    assert time.monotonic() - started_s < 20


def test_predictions_are_canceled(world: World) -> None:
    prediction = created(world)
    path = f"/v1/predictions/{prediction['id']}/cancel"
    assert world.client.post(path, headers=world.as_user(world.bob)).status_code == 404
    canceled = world.client.post(path, headers=world.as_user(world.alice))
    assert canceled.status_code == 200
    assert canceled.json()["id"] == prediction["id"]
    row = row_of(world, prediction)
    assert row["cancel_requested_at"] is not None
    jobs.change_status(world.owner, "cancel_waiting", id=row["id"])
    again = world.client.post(path, headers=world.as_user(world.alice))
    assert (again.status_code, again.json()["status"]) == (200, "canceled")


def test_a_deadline_is_stored(world: World) -> None:
    prediction = created(world, headers={"Cancel-After": "1m30s"})
    row = row_of(world, prediction)
    assert abs((row["deadline"] - row["created_at"]).total_seconds() - 90) < 5
    assert prediction["deadline"] is not None
    assert create(world, headers={"Cancel-After": "soon"}).status_code == 422


def test_webhooks_are_passed_on(world: World) -> None:
    hook = {"webhook": "https://a.test/hook", "webhook_events_filter": ["start", "completed"]}
    found = row_of(world, created(world, **hook))["input_data"]
    assert {key: found[key] for key in hook} == hook
    found = row_of(world, created(world, webhook_completed="https://a.test/hook"))["input_data"]
    assert found["webhook_events_filter"] == ["completed"]


def test_others_and_other_jobs_are_not_found(world: World) -> None:
    prediction = created(world)
    plain = jobs.insert(world.owner, "separate", {"audio": "a"}, user_id=world.alice)
    faked = [
        jobs.insert(
            world.owner, "separate", {"audio": "a", "prediction": one}, user_id=world.alice
        ).id
        for one in ({"version": "x"}, {"version": RYAN.id, "input": {"shifts": "many"}}, "x", None)
    ]
    for found in (
        get(world, prediction, world.bob),
        *(get(world, {"id": short_id(one)}) for one in (plain.id, *faked)),
        get(world, {"id": str(plain.id)}),
        get(world, {"id": "a" * 26}),
    ):
        assert found.status_code == 404
        assert found.json()["code"] == "not_found"
        assert found.json()["detail"].endswith(": not found")
    listed = world.client.get("/v1/predictions", headers=world.as_user(world.alice)).json()
    assert [one["id"] for one in listed["results"]] == [prediction["id"]]


def test_an_input_never_becomes_a_link_that_needs_no_token(world: World) -> None:
    """A user may name any key of the store in a row of their own."""
    secret = f"uploads/{world.bob}/secret.mp3"
    put(world, secret, b"secret")
    asked = {"version": RYAN.id, "input": {}}
    job = jobs.insert(
        world.owner, "separate", {"audio": secret, "prediction": asked}, user_id=world.alice
    )
    assert get(world, {"id": short_id(job.id)}).json()["input"]["audio"] == secret


def test_lists_have_pages_with_absolute_addresses(world: World) -> None:
    document = {"audio": SONG, "prediction": {"version": RYAN.id, "input": {}}}
    world.owner.execute(
        "INSERT INTO ai_jobs (user_id, job_type, input_data, created_at)"
        " SELECT %s, 'separate', %s, now() - make_interval(secs => n / 2)"
        " FROM generate_series(1, 200) AS n",
        [world.alice, Jsonb(document)],
    )
    created(world, user=world.bob)
    path, seen = "/v1/predictions", list[str]()
    for length in (100, 100):
        page = world.client.get(path, headers=world.as_user(world.alice)).json()
        assert page.keys() == {"previous", "next", "results"}
        assert len(page["results"]) == length
        seen += [one["id"] for one in page["results"]]
        if page["next"]:
            assert page["next"].startswith("http://testserver/v1/predictions?")
            path = page["next"].removeprefix("http://testserver")
    assert page["next"] is None
    assert len(set(seen)) == 200
    newest_at = get(world, {"id": seen[0]}).json()["created_at"]
    for period, expected in (("created_after", seen[:1]), ("created_before", seen[1:101])):
        part = world.client.get(
            "/v1/predictions", params={period: newest_at}, headers=world.as_user(world.alice)
        ).json()["results"]
        assert [one["id"] for one in part] == expected
    for cursor in ("x", "W10", "A" * 501):
        answer = world.client.get(
            "/v1/predictions", params={"cursor": cursor}, headers=world.as_user(world.alice)
        )
        assert answer.status_code == 422


def test_models_and_versions(world: World) -> None:
    headers = world.as_user(world.alice)
    listed = world.client.get("/v1/models", headers=headers).json()["results"]
    assert [f"{one['owner']}/{one['name']}" for one in listed] == [one.model for one in VERSIONS]
    for version, model in zip(VERSIONS, listed, strict=True):
        path = f"/v1/models/{version.model}"
        assert world.client.get(path, headers=headers).json() == model
        assert model["license_url"] == CATALOGUE_LICENSES["htdemucs"].source
        latest = model["latest_version"]
        assert latest["id"] == version.id
        assert latest["openapi_schema"]["components"]["schemas"]["Input"]["required"] == ["audio"]
        versions = world.client.get(f"{path}/versions", headers=headers).json()["results"]
        assert versions == [latest]
        one = world.client.get(f"{path}/versions/{version.id}", headers=headers)
        assert one.json() == latest
        assert world.client.get(f"{path}/versions/x", headers=headers).status_code == 404
    assert world.client.get("/v1/models/meta/demucs", headers=headers).status_code == 404
    assert world.client.get("/v1/models").status_code == 401


def test_a_wrong_base_url_is_answered_with_the_right_one(world: World) -> None:
    for path in (
        *("/predictions", "/predictions/x/cancel", "/files", "/api/v1/files", "/api/predictions"),
        *("/v1/v1/predictions", "/v1/v1/models/a/b/predictions"),
    ):
        for method in ("GET", "POST"):
            answer = world.client.request(method, path)
            assert answer.status_code == 404
            detail = answer.json()["detail"]
            assert "baseUrl http://testserver/v1;" in detail
            assert "REPLICATE_BASE_URL=http://testserver;" in detail
            assert "REPLICATE_BASE_URL=http://testserver/v1;" in detail


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
