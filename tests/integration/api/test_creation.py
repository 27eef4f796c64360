"""Jobs that clients of the API create."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from psycopg.types.json import Jsonb

from mashup_worker.db import jobs

if TYPE_CHECKING:
    from uuid import UUID

    from httpx2 import Response

    from tests.integration.api.world import World

SEPARATE, MASHUP, JOBS = "/api/audio/separate", "/api/mashup/ai", "/api/jobs"


def post(
    world: World, path: str, body: object, user: UUID | None = None, key: str | None = None
) -> Response:
    headers = world.as_user(user or world.alice)
    if key is not None:
        headers["Idempotency-Key"] = key
    return world.client.post(path, json=body, headers=headers)


def row_of(world: World, answer: Response) -> dict[str, Any]:
    assert answer.status_code == 202, answer.text
    (row,) = world.rows("SELECT * FROM ai_jobs WHERE id = %s", answer.json()["jobId"])
    return row


def job_count(world: World) -> int:
    (row,) = world.rows("SELECT count(*) AS jobs FROM ai_jobs")
    return int(row["jobs"])


def test_every_type_of_job_is_created(world: World) -> None:
    world.subscribe(world.alice, "studio")
    audio = f"uploads/{world.alice}/a.mp3"
    inputs = {
        "separate": {"audio": audio, "format": "flac"},
        "analyze": {"stems": {"vocals": audio}},
        "mashup": {"stems": [{"audio": audio, "kind": "vocals", "song": "a"}]},
        "master": {"audio": audio, "loudness_lufs": -9.5},
    }
    bodies: list[tuple[str, object]] = [
        (JOBS, {"job_type": one, "input": body}) for one, body in inputs.items()
    ]
    bodies += [(SEPARATE, inputs["separate"]), (MASHUP, inputs["mashup"])]
    for (path, body), job_type in zip(bodies, [*inputs, "separate", "mashup"], strict=True):
        answer = post(world, path, body)
        row = row_of(world, answer)
        assert (row["job_type"], row["input_data"]) == (job_type, inputs[job_type])
        assert (row["user_id"], row["status"]) == (world.alice, "queued")
        assert answer.headers["Location"] == f"http://testserver/api/jobs/{row['id']}"


def test_unknown_keys_are_not_stored(world: World) -> None:
    world.subscribe(world.alice, "studio")
    secret = {"auth": "r8_secret", "client": {"token": "r8_secret"}}
    audio = f"uploads/{world.alice}/a.mp3"
    stem = {"audio": audio, "kind": "accompaniment", **secret}
    for path, body in (
        (SEPARATE, {"audio": audio, **secret}),
        (MASHUP, {"stems": [stem], "config": {"vibe": "club", **secret}}),
        (JOBS, {"job_type": "analyze", "input": {"audio": audio, **secret}, **secret}),
    ):
        assert "secret" not in str(row_of(world, post(world, path, body)))


def test_invalid_bodies_are_refused_with_the_field(world: World) -> None:
    for path, body, field in (
        (SEPARATE, {}, "audio"),
        (SEPARATE, {"audio": "a", "stems": ["kazoo"]}, "stems.0"),
        (SEPARATE, {"audio": "a", "mashup_id": "51"}, "mashup_id"),
        (SEPARATE, {"audio": "a", "analyze": "yes"}, "analyze"),
        (SEPARATE, [], "body"),
        (MASHUP, {"stems": []}, "stems"),
        (MASHUP, {"stems": [{"kind": "vocals"}]}, "stems.0"),
        (JOBS, {"job_type": "brew", "input": {}}, "job_type"),
        (JOBS, {"job_type": "master", "input": {"audio": 1}}, "input.audio"),
        (JOBS, {"job_type": "analyze", "input": {}}, "input"),
    ):
        answer = post(world, path, body)
        assert answer.status_code == 422, (body, answer.text)
        assert answer.json()["code"] == "invalid_input"
        assert answer.json()["errors"][0]["field"] == field
    headers = {**world.as_user(world.alice), "Content-Type": "application/json"}
    for text in ("{", '{"audio": NaN}', '{"a":' * 900 + "1" + "}" * 900, '"' + "a" * 10, ""):
        answer = world.client.post(SEPARATE, content=text, headers=headers)
        assert answer.status_code in (400, 422), text[:40]
    for text in ('{"audio": "\\u0000"}', '{"audio": "\\ud800"}'):
        answer = world.client.post(SEPARATE, content=text, headers=headers)
        assert answer.status_code == 422, answer.text
    assert job_count(world) == 0


def test_the_same_key_and_work_is_the_same_job(world: World) -> None:
    world.subscribe(world.alice, "pro")
    world.subscribe(world.bob, "pro")
    body = {"audio": "public/a.mp3"}
    first = post(world, SEPARATE, body, key="monday")
    for path, again in (
        (SEPARATE, body),
        (SEPARATE, {**body, "format": "flac", "unknown": 1}),  # the default, and no key
        (JOBS, {"job_type": "separate", "input": body}),
    ):
        assert post(world, path, again, key="monday").json() == first.json()
    for path, other in (
        (SEPARATE, {"audio": "public/b.mp3"}),
        (SEPARATE, {**body, "format": "wav"}),
        (JOBS, {"job_type": "analyze", "input": body}),
    ):
        answer = post(world, path, other, key="monday")
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert post(world, SEPARATE, body, world.bob, key="monday").json() != first.json()
    assert post(world, SEPARATE, body).json() != first.json()
    assert job_count(world) == 3
    for key in ("", "k" * 256):
        assert post(world, SEPARATE, body, key=key).status_code == 422


def test_parallel_requests_with_one_key_make_one_job(world: World) -> None:
    """Alice has no limit, and Bob's limit is one job."""
    world.subscribe(world.alice, "pro")
    for user in (world.alice, world.bob):
        with ThreadPoolExecutor(50) as threads:
            body = {"audio": "public/a.mp3"}
            sent = [threads.submit(post, world, SEPARATE, body, user, "k") for _ in range(50)]
            answers = [one.result() for one in sent]
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.json()["jobId"] for answer in answers}) == 1
    assert job_count(world) == 2


def test_a_user_over_the_limit_of_the_tier_gets_no_row(world: World) -> None:
    body = {"audio": "public/a.mp3"}
    with ThreadPoolExecutor(8) as threads:
        sent = [threads.submit(post, world, SEPARATE, body) for _ in range(8)]
        statuses = sorted(one.result().status_code for one in sent)
    assert statuses == [202] + [402] * 7
    assert job_count(world) == 1
    refused = post(world, SEPARATE, body)
    problem = refused.json()
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert (problem["code"], problem["retryable"]) == ("quota_exceeded", False)
    assert problem["detail"].startswith("The free tier includes 1 separation per day; wait until")
    quota = problem["quota"]
    assert quota.pop("until") > "2026"
    assert quota == {
        "tier": "free",
        "job_type": "separate",
        "limit": 1,
        "period": "day",
        "next_tier": "pro",
    }
    mashup = {"stems": [{"audio": "public/a.mp3", "kind": "mix"}]}
    assert post(world, MASHUP, mashup).json()["quota"]["limit"] == 0
    world.subscribe(world.alice, "pro")
    assert post(world, SEPARATE, body).status_code == 202


def test_a_service_creates_jobs_without_limits_and_for_users(world: World) -> None:
    body, service = {"audio": f"uploads/{world.bob}/a.mp3"}, world.as_service()
    for user, status in ((None, 202), (world.bob, 202), (world.bob, 402), (world.alice, 404)):
        headers = service if user is None else {**service, "Mashup-User": str(user)}
        answer = world.client.post(SEPARATE, json=body, headers=headers)
        assert answer.status_code == status
        if status == 202:
            assert row_of(world, answer)["user_id"] == user
    unknown = {**service, "Mashup-User": str(uuid4())}
    answer = world.client.post(SEPARATE, json={"audio": "public/a.mp3"}, headers=unknown)
    assert (answer.status_code, "no such profile" in answer.text) == (422, True)
    read_only = world.as_service("read")
    assert world.client.post(SEPARATE, json=body, headers=read_only).status_code == 403


def test_inputs_of_other_users_are_refused_like_missing_ones(world: World) -> None:
    for user in (world.alice, world.bob):
        world.subscribe(user, "studio")
    theirs = jobs.insert(world.owner, "separate", {"audio": "a"}, user_id=world.bob).id
    (private,) = world.rows(
        "INSERT INTO stems (user_id, kind, storage_key) VALUES (%s, 'vocals', 'k') RETURNING id",
        world.bob,
    )
    (mashup,) = world.rows("INSERT INTO mashups (user_id) VALUES (%s) RETURNING id", world.bob)

    def bodies(key: str, job: UUID, stem: UUID, mashup_id: UUID) -> list[tuple[str, object]]:
        result = f"jobs/{job}/1/vocals.flac"
        return [
            (SEPARATE, {"audio": key}),
            (SEPARATE, {"audio": f"s3://{world.bucket}/{key}"}),
            (SEPARATE, {"audio": result}),
            (SEPARATE, {"audio": "public/a.mp3", "mashup_id": str(mashup_id)}),
            (JOBS, {"job_type": "analyze", "input": {"stems": {"vocals": result}}}),
            (JOBS, {"job_type": "master", "input": {"audio": key}}),
            (MASHUP, {"stems": [{"stem_id": str(stem), "kind": "vocals"}]}),
            (MASHUP, {"stems": [{"audio": result, "kind": "vocals"}]}),
        ]

    existing = (f"uploads/{world.bob}/a.mp3", theirs, private["id"], mashup["id"])
    missing = (f"uploads/{uuid4()}/a.mp3", uuid4(), uuid4(), uuid4())
    for (path, body), (_, none) in zip(bodies(*existing), bodies(*missing), strict=True):
        assert post(world, path, body, world.bob).status_code == 202, body
        refused, unknown = post(world, path, body), post(world, path, none)
        assert refused.status_code == unknown.status_code == 404, body
        assert refused.json()["detail"].count("not found") == 1
        assert _without_ids(refused, existing) == _without_ids(unknown, missing)


def _without_ids(answer: Response, ids: tuple[object, ...]) -> str:
    text = answer.text
    for one in ids:
        text = text.replace(str(one), "")
    return text


@pytest.fixture
def permissive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of a service that allows permissive licenses only."""
    monkeypatch.setenv("MASHUP_ALLOWED_LICENSES", "permissive")
    monkeypatch.setenv("MASHUP_MODEL", "auto")


@pytest.mark.usefixtures("permissive")
def test_models_that_are_not_allowed_are_refused_at_once(world: World) -> None:
    world.subscribe(world.alice, "studio")
    audio = f"uploads/{world.alice}/a.mp3"
    refused = {"audio": audio, "model": "htdemucs"}
    for path, body in ((SEPARATE, refused), (JOBS, {"job_type": "separate", "input": refused})):
        answer = post(world, path, body)
        assert answer.status_code == 422
        problem = answer.json()
        assert (problem["code"], problem["retryable"]) == ("model_not_allowed", False)
        assert problem["detail"].startswith(
            "htdemucs: its license is scientific-only (restricted), and allowed is only permissive"
        )
    assert job_count(world) == 0
    for model in ({"model": "lite"}, {"model": "of-the-operator"}, {}):
        assert post(world, SEPARATE, {"audio": audio, **model}).status_code == 202
    (old,) = world.rows(
        "INSERT INTO ai_jobs (user_id, job_type, input_data, status) VALUES"
        " (%s, 'separate', %s, 'failed') RETURNING id",
        world.alice,
        Jsonb(refused),
    )
    assert post(world, f"/api/jobs/{old['id']}/retry", None).status_code == 422
