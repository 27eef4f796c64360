"""Webhooks beside the API: their bodies, and the commands that list and repeat them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.types.json import Jsonb
from typer.testing import CliRunner

from mashup_worker.api.replicate.ids import short_id
from mashup_worker.api.replicate.versions import VERSIONS
from mashup_worker.api.webhook_body import WebhookBodies
from mashup_worker.cli import app
from mashup_worker.db import jobs, webhooks
from mashup_worker.errors import ServiceUnavailable
from mashup_worker.settings import load_service_settings
from mashup_worker.system.digests import file_sha256
from mashup_worker.webhooks.signing import signing_secret

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from mashup_worker.api.context import ApiContext
    from mashup_worker.db.jobs import Job
    from tests.integration.api.world import World

URL = "https://user-7.example/secret/path?token=secret"


def completed(world: World, **document: Any) -> Job:
    """Complete a job without a worker."""
    stem = {"kind": "vocals", "key": "jobs/1/1/vocals.flac", "format": "flac"}
    job = jobs.insert(
        world.owner, "separate", {"audio": "a", "webhook": URL, **document}, user_id=world.alice
    )
    fence = {"id": job.id, "worker_id": "w"}
    jobs.change_status(world.owner, "claim", **fence, lease_s=60, job_types=["separate"])
    done = jobs.change_status(
        world.owner,
        "complete",
        **fence,
        attempt=1,
        output=Jsonb({"stems": [stem]}),
        result_digest=None,
        source_sha256=[],
        source_jobs=[],
    )
    assert done is not None
    return done


def test_the_body_of_a_job_is_the_answer_of_the_api(world: World) -> None:
    job = completed(world)
    body = WebhookBodies(load_service_settings())(job)
    answer = world.client.get(f"/api/jobs/{job.id}", headers=world.as_user(world.alice))
    assert json.loads(body) == answer.json()


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.model)
def test_the_body_of_a_prediction_is_the_answer_of_the_api(world: World, version: Any) -> None:
    job = completed(world, prediction={"version": version.id, "input": {"stem": "vocals"}})
    body = json.loads(WebhookBodies(load_service_settings())(job))
    path = f"/v1/predictions/{short_id(job.id)}"
    answer = world.client.get(path, headers=world.as_user(world.alice)).json()
    for document in (body, answer):
        document["output"] = {
            kind: link and link.partition("?")[0]  # links expire at different times
            for kind, link in document["output"].items()
        }
    assert body == answer
    assert body["status"] == "succeeded"
    assert body["output"]["vocals"].endswith("/vocals.flac")


def test_links_in_the_body_of_a_prediction_are_valid(world: World, tmp_path: Path) -> None:
    stem = tmp_path / "vocals.flac"
    stem.write_bytes(b"fLaC")
    context: ApiContext = world.client.app.state.context  # type: ignore[attr-defined]
    key = "jobs/1/1/vocals.flac"
    context.storage.put(key, stem, content_type="audio/flac", sha256=file_sha256(stem))
    job = completed(world, prediction={"version": VERSIONS[0].id, "input": {}})
    body = json.loads(WebhookBodies(load_service_settings())(job))
    found = world.client.get(body["output"]["vocals"])
    assert (found.status_code, found.content) == (200, b"fLaC")


def test_a_mirror_without_an_address_sends_jobs_but_no_predictions(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MASHUP_API_URL")
    bodies = WebhookBodies(load_service_settings())
    assert bodies(completed(world))
    with pytest.raises(ServiceUnavailable, match="MASHUP_API_URL"):
        bodies(completed(world, prediction={"version": VERSIONS[0].id, "input": {}}))


def test_each_owner_reads_the_secret_of_their_webhooks(world: World) -> None:
    def secret(headers: dict[str, str]) -> str:
        answer = world.client.get("/v1/webhooks/default/secret", headers=headers)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        return str(answer.json()["key"])

    service = world.as_service("write")
    owners: dict[UUID | None, str] = {
        world.alice: secret(world.as_user(world.alice)),
        world.bob: secret({**service, "Mashup-User": str(world.bob)}),
        None: secret(service),
    }
    assert len(set(owners.values())) == 3
    key = load_service_settings().api.api_secret
    assert key is not None
    for owner, found in owners.items():
        assert found == signing_secret(key.get_secret_value().encode(), owner)
    for headers, status in (({}, 401), (world.as_service("read"), 403)):
        answer = world.client.get("/v1/webhooks/default/secret", headers=headers)
        assert answer.status_code == status
        assert "whsec_" not in answer.text


def test_commands_list_webhooks_and_send_dead_ones_again(
    world: World, migrated_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", migrated_url)
    made = [completed(world).id for _ in range(3)]

    def ran(*arguments: str, code: int = 0) -> list[str]:
        done = CliRunner().invoke(app, ["webhooks", *arguments])
        assert done.exit_code == code, done.output
        assert "secret" not in done.output
        return [*done.output.splitlines(), *([str(done.exception)] if code == 1 else [])]

    [message] = webhooks.claim(world.owner, limit=1, per_host=1, per_owner=1, lease_s=60)
    error = "user-7.example: answered 410"
    webhooks.failed(world.owner, message, error=error, delay_s=0, retry_s=60, final=True)
    assert len(ran("list")) == 3
    [line] = ran("list", "--status", "dead")
    assert str(message.id) in line
    assert "answered 410" in line
    [found] = map(json.loads, ran("list", "--job", str(made[0]), "--json"))
    assert (found["job_id"], found["status"], found["tries"]) == (str(made[0]), "dead", 1)
    assert found["host"] == "user-7.example"
    [again] = map(json.loads, ran("retry", str(message.id), "--json"))
    assert (again["id"], again["status"], again["tries"]) == (str(message.id), "waiting", 0)
    assert "waiting" in ran("retry", str(message.id), code=1)[0]
    assert ran("list", "--status", "dead") == ran("retry", "--all") == []
    for usage in (["retry"], ["retry", str(message.id), "--all"], ["list", "--status", "lost"]):
        ran(*usage, code=2)
