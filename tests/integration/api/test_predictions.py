"""Predictions in the form of Replicate, as its clients ask for them."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.types.json import Jsonb

from mashup_worker.api.replicate.ids import short_id, uuid_of
from mashup_worker.api.replicate.versions import VERSIONS
from mashup_worker.db import jobs
from mashup_worker.licenses import CATALOGUE_LICENSES
from mashup_worker.queue.status import CHANNEL, StatusView
from tests.integration.api.predictions import (
    CJWBW,
    RYAN,
    SONG,
    claim,
    complete,
    create,
    created,
    get,
    row_of,
)

if TYPE_CHECKING:
    from tests.integration.api.world import World

pytestmark = pytest.mark.usefixtures("without_limits")

PROGRESS = re.compile(r"^\s*(\d+)%\s*\|.+?\|\s*(\d+)/(\d+)")
"""Pattern with which the official clients find the progress in logs."""


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
