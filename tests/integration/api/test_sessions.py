"""Sessions of browsers: login links, cookies, and requests of other pages."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from mashup_worker.api.access import lookups
from mashup_worker.api.access.sessions import COOKIE
from mashup_worker.db import jobs
from mashup_worker.db.api_tokens import all_tokens, revoke_token
from mashup_worker.db.sessions import create_code, new_secret
from tests.integration.api.world import user_token

if TYPE_CHECKING:
    from httpx2 import Response

    from mashup_worker.db.api_tokens import Scope
    from tests.integration.api.world import World

SESSION = "/api/session"
OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}


def new_code(world: World, user: UUID | None, *scopes: Scope) -> str:
    code = new_secret()
    create_code(world.owner, code, user_id=user, scopes=scopes or ("read", "write"))
    return code


def log_in(world: World, user: UUID | None, *scopes: Scope) -> str:
    """Log the client of the world in; return the value of its cookie."""
    answer = world.client.post(SESSION, json={"code": new_code(world, user, *scopes)})
    assert answer.status_code == 201, answer.text
    return cookie_of(answer)


def cookie_of(answer: Response) -> str:
    [(_, value)] = [pair for pair in answer.cookies.items() if pair[0] == COOKIE]
    found: str = value
    return found


def attributes(answer: Response) -> dict[str, str]:
    """Return the attributes of the cookie that an answer sets, and its value."""
    parts = [part.partition("=") for part in answer.headers["Set-Cookie"].split("; ")]
    return {name.lower(): value for name, _, value in parts}


def test_a_code_logs_a_browser_in_once(world: World) -> None:
    code = new_code(world, world.alice)
    answer = world.client.post(SESSION, json={"code": code})
    assert answer.status_code == 201
    document: dict[str, Any] = answer.json()
    assert document["user_id"] == str(world.alice)
    assert document["scopes"] == ["read", "write"]
    left_s = datetime.fromisoformat(document["expires_at"]).timestamp() - time.time()
    assert 11.9 * 3_600 < left_s <= 12 * 3_600
    assert world.client.get(SESSION).json() == document
    job = jobs.insert(world.owner, "separate", {"audio": "a"}, user_id=world.alice)
    other = jobs.insert(world.owner, "separate", {"audio": "a"}, user_id=world.bob)
    assert world.client.get(f"/api/jobs/{job.id}").status_code == 200
    assert world.client.get(f"/api/jobs/{other.id}").status_code == 404
    world.client.cookies.clear()
    again = world.client.post(SESSION, json={"code": code})
    assert (again.status_code, again.json()["code"]) == (401, "unauthenticated")
    assert "Set-Cookie" not in again.headers
    assert world.client.get(f"/api/jobs/{job.id}").status_code == 401


def test_scripts_and_other_sites_get_no_cookie(world: World) -> None:
    answer = world.client.post(SESSION, json={"code": new_code(world, world.alice)})
    cookie = attributes(answer)
    assert cookie.keys() >= {"httponly", "samesite", "path", "max-age"}
    assert (cookie["samesite"].lower(), cookie["path"]) == ("strict", "/api")
    assert 0 < int(cookie["max-age"]) <= 12 * 3_600
    assert answer.headers["Cache-Control"] == "no-store"
    assert "secure" not in cookie  # the world's address begins with http:


def test_secrets_are_stored_as_digests(world: World) -> None:
    code = new_code(world, world.alice)
    assert code not in str(world.rows("SELECT * FROM mashup_worker.login_codes"))
    secret = log_in(world, world.alice)
    assert secret not in str(world.rows("SELECT * FROM mashup_worker.sessions"))


def test_forged_and_expired_codes_are_refused(world: World) -> None:
    expired = new_code(world, world.alice)
    world.owner.execute(
        "UPDATE mashup_worker.login_codes SET expires_at = now() - interval '1 second'"
    )
    for code in (expired, new_secret(), "nonsense", "a" * 200):
        answer = world.client.post(SESSION, json={"code": code})
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    for wrong in ({}, {"code": ""}, {"code": 1}, {"code": "a" * 201}, {"code": "a", "user": "b"}):
        assert world.client.post(SESSION, json=wrong).status_code == 422
    assert world.client.post(SESSION).status_code == 401
    large = world.client.post(SESSION, json={"code": "a" * 10_000})
    assert large.status_code == 413


def test_forged_expired_and_ended_sessions_are_refused(world: World) -> None:
    secret = log_in(world, world.alice)
    jar = world.client.cookies
    for forged in (secret[:-1], new_secret(), user_token(world.alice)):
        jar.clear()
        assert (
            world.client.get(SESSION, headers={"Cookie": f"mashup_session={forged}"}).status_code
            == 401
        )
    world.owner.execute(
        "UPDATE mashup_worker.sessions SET expires_at = now() - interval '1 second'"
    )
    headers = {"Cookie": f"mashup_session={secret}"}
    assert world.client.get(SESSION, headers=headers).status_code == 401
    log_in(world, world.bob)
    assert not world.rows("SELECT FROM mashup_worker.sessions WHERE expires_at < now()"), (
        "expired sessions stay in the table"
    )


def test_logging_out_ends_the_session_at_once(world: World) -> None:
    secret = log_in(world, world.alice)
    assert world.client.get(SESSION).status_code == 200
    answer = world.client.delete(SESSION, headers=OWN_PAGE)
    assert answer.status_code == 204
    assert attributes(answer)["max-age"] == "0"
    assert COOKIE not in world.client.cookies
    stolen = {"Cookie": f"mashup_session={secret}"}
    assert world.client.get(SESSION, headers=stolen).status_code == 401
    assert world.client.delete(SESSION).status_code == 204


def test_a_new_login_ends_the_session_before(world: World) -> None:
    first = log_in(world, world.alice)
    log_in(world, world.bob)
    assert world.client.get(SESSION).json()["user_id"] == str(world.bob)
    world.client.cookies.clear()
    stolen = {"Cookie": f"mashup_session={first}"}
    assert world.client.get(SESSION, headers=stolen).status_code == 401


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, False),
        (OWN_PAGE, True),
        ({"Origin": "http://testserver"}, True),
        ({"Origin": "http://testserver", **OWN_PAGE}, True),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "http://testserver.evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://testserver", "Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Referer": "http://testserver/studio"}, False),
    ],
)
def test_other_pages_change_nothing(
    world: World, headers: dict[str, str], *, allowed: bool
) -> None:
    log_in(world, world.alice)
    job = jobs.insert(world.owner, "separate", {"audio": "a"}, user_id=world.alice)
    answer = world.client.post(f"/api/jobs/{job.id}/cancel", headers=headers)
    assert answer.status_code == (202 if allowed else 403)
    [row] = world.rows("SELECT cancel_requested_at FROM ai_jobs")
    assert (row["cancel_requested_at"] is not None) == allowed
    assert world.client.delete(SESSION, headers=headers).status_code == (204 if allowed else 403)
    world.client.cookies.clear()
    login = {"code": new_code(world, world.alice)}
    refused = not allowed and headers.keys() & {"Origin", "Sec-Fetch-Site"}
    found = world.client.post(SESSION, json=login, headers=headers)
    assert found.status_code == (403 if refused else 201)


def test_other_pages_may_not_log_in_with_forms(world: World) -> None:
    code = new_code(world, world.alice)
    for media_type in ("text/plain", "application/x-www-form-urlencoded"):
        answer = world.client.post(
            SESSION, content=f'{{"code": "{code}"}}', headers={"Content-Type": media_type}
        )
        assert answer.status_code == 422


def test_the_cookie_is_for_the_api_of_the_page_only(world: World) -> None:
    secret = log_in(world, world.alice)
    world.client.cookies.clear()
    headers = {"Cookie": f"mashup_session={secret}", **OWN_PAGE}
    assert world.client.get("/api/jobs", headers=headers).status_code == 200
    assert world.client.get("/v1/predictions", headers=headers).status_code == 401
    assert world.client.post("/v1/predictions", json={}, headers=headers).status_code == 401


def test_a_token_stands_before_the_cookie(world: World) -> None:
    log_in(world, world.alice)
    found = world.client.get(SESSION, headers=world.as_user(world.bob))
    assert found.json()["user_id"] == str(world.bob)
    invalid = {"Authorization": "Bearer nonsense"}
    assert world.client.get(SESSION, headers=invalid).status_code == 401


def test_a_session_of_a_jwt_has_its_claims_and_its_end(world: World) -> None:
    end_s = int(time.time()) + 600
    token = user_token(world.alice, exp=end_s, app_metadata={"team": "night"})
    answer = world.client.post(SESSION, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 201
    assert answer.json()["scopes"] == ["read", "write"]
    assert datetime.fromisoformat(answer.json()["expires_at"]).timestamp() == end_s
    [row] = world.rows("SELECT claims FROM mashup_worker.sessions")
    assert row["claims"]["app_metadata"] == {"team": "night"}
    assert (row["claims"]["sub"], row["claims"]["role"]) == (str(world.alice), "authenticated")
    world.owner.execute(
        "CREATE POLICY of_team ON ai_jobs AS RESTRICTIVE FOR SELECT TO authenticated USING"
        " (current_setting('request.jwt.claims')::jsonb #>> '{app_metadata,team}' = 'night')"
    )
    job = jobs.insert(world.owner, "separate", {"audio": "a"}, user_id=world.alice)
    assert world.client.get(f"/api/jobs/{job.id}").status_code == 200
    world.client.cookies.clear()
    log_in(world, world.alice)
    assert world.client.get(f"/api/jobs/{job.id}").status_code == 404


def test_no_session_lasts_longer_than_twelve_hours(world: World) -> None:
    for token in (user_token(world.alice, exp=10**18), None):
        headers = {"Authorization": f"Bearer {token}"} if token else world.as_service("read")
        answer = world.client.post(SESSION, headers=headers)
        assert answer.status_code == 201
        end_s = datetime.fromisoformat(answer.json()["expires_at"]).timestamp()
        assert end_s - time.time() <= 12 * 3_600


def test_a_session_of_a_service_token_ends_with_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "_CACHE_S", 0.0)
    headers = world.as_service("read", user=world.alice)
    answer = world.client.post(SESSION, headers=headers)
    assert (answer.json()["user_id"], answer.json()["scopes"]) == (str(world.alice), ["read"])
    assert world.client.get(SESSION).status_code == 200
    upload = world.client.post("/api/audio/separate", json={"audio": "a"}, headers=OWN_PAGE)
    assert upload.status_code == 403
    revoke_token(world.owner, all_tokens(world.owner)[-1].id)
    assert world.client.get(SESSION).status_code == 401


def test_a_session_starts_no_other_session(world: World) -> None:
    log_in(world, world.alice)
    assert world.client.post(SESSION, headers=OWN_PAGE).status_code == 401
    both = world.client.post(
        SESSION, json={"code": new_code(world, world.bob)}, headers=world.as_user(world.alice)
    )
    assert both.status_code == 422


def test_sessions_act_for_their_user_only(world: World) -> None:
    log_in(world, world.alice)
    for user, status in ((world.alice, 200), (world.bob, 403), ("nonsense", 403)):
        found = world.client.get("/api/jobs", headers={"Mashup-User": str(user)})
        assert found.status_code == status


def test_operators_see_the_fleet_and_users_do_not(world: World) -> None:
    for user, scopes, fleet, own_jobs in (
        (world.alice, ("read", "write"), 403, 200),
        (world.alice, ("read", "write", "operator"), 200, 200),
        (None, ("operator",), 200, 403),
    ):
        world.client.cookies.clear()
        log_in(world, user, *scopes)
        assert world.client.get("/api/fleet").status_code == fleet
        assert world.client.get("/api/jobs").status_code == own_jobs
    pause = world.client.post("/api/fleet/queues/gpu/pause", headers=OWN_PAGE)
    assert pause.status_code == 200


def test_guessing_codes_is_limited(world: World) -> None:
    found = [
        world.client.post(SESSION, json={"code": f"guess {number}"}).status_code
        for number in range(21)
    ]
    assert found == [401] * 20 + [429]
    answer = world.client.post(SESSION, json={"code": new_code(world, world.alice)})
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    assert world.client.get("/api/jobs", headers=world.as_user(world.alice)).status_code == 200


def test_logs_have_neither_codes_nor_cookies(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    secret = log_in(world, world.alice)
    world.client.get(f"/api/jobs/{uuid4()}")
    assert re.search(rf"user:{world.alice}", caplog.text)
    assert secret not in caplog.text
