"""Inputs of predictions: models, references, files in requests, and what is refused."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from mashup_worker.api.replicate.ids import short_id, uuid_of
from mashup_worker.db import jobs
from tests.integration.api.predictions import (
    CJWBW,
    RYAN,
    SONG,
    WAV,
    claim,
    complete,
    create,
    created,
    get,
    put,
    row_of,
)

if TYPE_CHECKING:
    from tests.integration.api.world import World

pytestmark = pytest.mark.usefixtures("without_limits")

DATA_URL = f"data:audio/wav;base64,{base64.b64encode(WAV).decode()}"

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


def test_predictions_of_models_and_references(world: World) -> None:
    for path, body in (
        ("/v1/models/cjwbw/demucs/predictions", {"version": None}),
        ("/v1/predictions", {"version": f"cjwbw/demucs:{CJWBW.id}"}),
        ("/v1/predictions", {"version": "cjwbw/demucs"}),
    ):
        assert created(world, path=path, **body)["version"] == CJWBW.id
    assert create(world, path="/v1/models/meta/demucs/predictions").status_code == 404


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


def test_an_input_never_becomes_a_link_that_needs_no_token(world: World) -> None:
    """A user may name any key of the store in a row of their own."""
    secret = f"uploads/{world.bob}/secret.mp3"
    put(world, secret, b"secret")
    asked = {"version": RYAN.id, "input": {}}
    job = jobs.insert(
        world.owner, "separate", {"audio": secret, "prediction": asked}, user_id=world.alice
    )
    assert get(world, {"id": short_id(job.id)}).json()["input"]["audio"] == secret
