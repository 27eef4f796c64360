"""Errors of requests that no route takes as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.api.world import World


def test_unknown_addresses_are_refused_with_the_list(world: World) -> None:
    answer = world.client.get("/nowhere", headers=world.as_user(world.alice))
    assert (answer.status_code, "/api/openapi.json" in answer.json()["detail"]) == (404, True)


def test_other_methods_are_refused_with_the_right_ones(world: World) -> None:
    answer = world.client.patch("/api/upload", headers=world.as_user(world.alice))
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert answer.json()["detail"].endswith("use POST")
    answer = world.client.options("/api/jobs", headers=world.as_user(world.alice))
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")


@pytest.mark.parametrize(("value", "status"), [("0.5", 422), ("1e9", 422), ("2026-05-04", 200)])
def test_times_are_not_numbers(world: World, value: str, status: int) -> None:
    answer = world.client.get(
        "/v1/predictions", params={"created_before": value}, headers=world.as_user(world.alice)
    )
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ("{} x", "body", "not valid JSON at character 3"),
        ('{"job_type": "brew", "input": {}}', "job_type", "unknown; use one of 'separate'"),
        ("{}", "job_type", "Field required"),
        ('{"job_type": "master", "input": {"audio": 1}}', "input.audio", "valid string"),
    ],
)
def test_problems_name_the_field(world: World, body: str, field: str, message: str) -> None:
    headers = {**world.as_user(world.alice), "Content-Type": "application/json"}
    answer = world.client.post("/api/jobs", content=body, headers=headers)
    [error] = answer.json()["errors"]
    assert (answer.status_code, error["field"]) == (422, field)
    assert message in error["message"]


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"a": "\xff"}', b'{"a": ' + b"9" * 5_000 + b"}"]
)
def test_bodies_that_python_cannot_read(world: World, body: bytes) -> None:
    headers = {**world.as_user(world.alice), "Content-Type": "application/json"}
    answer = world.client.post("/api/jobs", content=body, headers=headers)
    assert (answer.status_code, answer.json()["detail"]) == (422, "body: not valid JSON")


def test_json_of_another_type_is_refused_by_its_type(world: World) -> None:
    headers = {**world.as_user(world.alice), "Content-Type": "text/plain"}
    answer = world.client.post("/api/jobs", content="{}", headers=headers)
    detail = "Content-Type: not application/json"
    assert (answer.status_code, answer.json()["detail"]) == (422, detail)


def test_texts_that_postgres_cannot_store(world: World) -> None:
    body = {"audio": "public/a.mp3", "webhook": "https://example.com/\0"}
    headers = world.as_user(world.alice)
    answer = world.client.post("/api/audio/separate", json=body, headers=headers)
    assert (answer.status_code, "U+0000" in answer.json()["detail"]) == (422, True)
    resumed = world.client.post("/api/fleet/queues/%00/resume", headers=world.as_service())
    assert (resumed.status_code, "NUL" in resumed.json()["detail"]) == (422, True)
