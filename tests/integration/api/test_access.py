"""Who may see what through the API."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from uuid import uuid4

import jwt
import pytest

from mashup_worker.api.access import lookups
from mashup_worker.api.access.jwt import _LEEWAY_S
from mashup_worker.db import jobs
from mashup_worker.db.api_tokens import all_tokens, create_token, new_secret, revoke_token
from tests.integration.api.process import until
from tests.integration.api.world import JWT_SECRET, user_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.api.world import World


def test_a_user_reads_own_jobs_only(world: World) -> None:
    job = jobs.insert(world.owner, "separate", {"audio": "a"}, user_id=world.alice)
    own = world.client.get(f"/api/jobs/{job.id}", headers=world.as_user(world.alice))
    assert own.status_code == 200
    assert own.json()["id"] == str(job.id)
    assert own.json()["status"] == "queued"
    other = world.client.get(f"/api/jobs/{job.id}", headers=world.as_user(world.bob))
    missing = world.client.get(f"/api/jobs/{uuid4()}", headers=world.as_user(world.bob))
    assert other.status_code == missing.status_code == 404
    assert other.json()["title"] == missing.json()["title"]
    assert other.json()["detail"].replace(str(job.id), "") == missing.json()["detail"].replace(
        missing.json()["detail"].split()[1].rstrip(":"), ""
    )


def test_the_service_reads_all_jobs_and_acts_for_users(world: World) -> None:
    job = jobs.insert(world.owner, "separate", {"audio": "a"}, user_id=world.alice)
    path, service = f"/api/jobs/{job.id}", world.as_service()
    assert world.client.get(path, headers=service).status_code == 200
    for user, status in ((world.alice, 200), (world.bob, 404)):
        acting = {**service, "Mashup-User": str(user)}
        assert world.client.get(path, headers=acting).status_code == status
    bound = {**world.as_service(user=world.bob), "Mashup-User": str(world.alice)}
    assert world.client.get(path, headers=bound).status_code == 403


INVALID_TOKENS: dict[str, Callable[[], str]] = {
    "empty": lambda: "",
    "nonsense": lambda: "nonsense",
    "unknown": lambda: "mashup_unknown",
    "of another secret": lambda: user_token(uuid4(), "another secret, which signs other tokens"),
    "expired": lambda: user_token(uuid4(), exp=int(time.time()) - 60),
    "for another audience": lambda: user_token(uuid4(), aud="other"),
    "of a service": lambda: user_token(uuid4(), role="service_role"),
    "of no user": lambda: user_token(uuid4(), sub="alice"),
    "without an end": lambda: jwt.encode(
        {"sub": str(uuid4()), "aud": "authenticated"}, JWT_SECRET, algorithm="HS256"
    ),
    "unsigned": lambda: jwt.encode(
        {"sub": str(uuid4()), "exp": 9_999_999_999}, "", algorithm="none"
    ),
}


@pytest.mark.parametrize("name", INVALID_TOKENS)
def test_invalid_tokens_are_refused(world: World, name: str) -> None:
    headers = {"Authorization": f"Bearer {INVALID_TOKENS[name]()}"}
    answer = world.client.get(f"/api/jobs/{uuid4()}", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "unauthenticated"


def test_expired_and_revoked_tokens_are_refused(world: World) -> None:
    for lifetime_s in (-1.0, None):
        secret = new_secret()
        create_token(world.owner, secret, name="old", scopes=["read"], lifetime_s=lifetime_s)
        revoke_token(world.owner, all_tokens(world.owner)[-1].id)
        headers = {"Authorization": f"Token {secret}"}
        assert world.client.get(f"/api/jobs/{uuid4()}", headers=headers).status_code == 401


def test_a_revoked_token_is_refused_once_it_is_looked_up_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "_CACHE_S", 0.5)
    headers, path = world.as_service("read"), f"/api/jobs/{uuid4()}"
    assert world.client.get(path, headers=headers).status_code == 404
    revoke_token(world.owner, all_tokens(world.owner)[-1].id)
    until(lambda: world.client.get(path, headers=headers).status_code == 401, timeout_s=10)


@pytest.mark.parametrize("kind", ["user", "service"])
def test_a_known_token_ends_at_its_time(world: World, kind: str) -> None:
    if kind == "user":
        token = user_token(world.alice, exp=int(time.time()) + 2 - _LEEWAY_S)
    else:
        token = new_secret()
        create_token(world.owner, token, name="short", scopes=["read"], lifetime_s=2.0)
    headers, path = {"Authorization": f"Bearer {token}"}, f"/api/jobs/{uuid4()}"
    assert world.client.get(path, headers=headers).status_code == 404
    until(lambda: world.client.get(path, headers=headers).status_code == 401, timeout_s=5)


def test_tokens_are_stored_as_digests(world: World) -> None:
    headers = world.as_service("read")
    secret = headers["Authorization"].partition(" ")[2]
    assert secret not in str(world.rows("SELECT * FROM mashup_worker.api_tokens"))
    assert world.client.get(f"/api/jobs/{uuid4()}", headers=headers).status_code == 404


def test_no_address_is_built_from_the_header_host(world: World) -> None:
    for path in ("/api/jobs/", "/api/stems/", "/v1/predictions/", "/api/nothing"):
        headers = {**world.as_user(world.alice), "Host": "evil.example"}
        answer = world.client.get(path, headers=headers, follow_redirects=False)
        assert answer.status_code == 404
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert "evil.example" not in answer.text + str(answer.headers)
