"""Limits of requests: rates, sizes, and origins of pages."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx2
import pytest
from fastapi.testclient import TestClient

from mashup_worker.api.access import rates
from mashup_worker.api.access.rates import RateLimits
from mashup_worker.api.app import create_app
from mashup_worker.api.context import open_context
from mashup_worker.errors import RateLimited
from mashup_worker.settings import load_service_settings
from tests.chaos.arena import port_of, with_port
from tests.chaos.proxy import Mode, Proxy
from tests.integration.api.live import live_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mashup_worker.stack.info import StackInfo
    from tests.integration.api.world import World

SEPARATE = "/api/audio/separate"


@contextmanager
def app_with(monkeypatch: pytest.MonkeyPatch, **settings: str) -> Iterator[TestClient]:
    """Yield a client of another API over the servers of the world."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    app = create_app(open_context(load_service_settings()))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def test_each_token_and_each_address_has_its_own_limit(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/api/jobs/{uuid4()}"
    alice, bob = world.as_user(world.alice), world.as_user(world.bob)
    invalid = {"Authorization": "Bearer nonsense"}
    with app_with(monkeypatch, MASHUP_REQUESTS_PER_MINUTE="3") as client:
        for headers, status in ((alice, 404), (bob, 404), (world.as_service(), 404), ({}, 401)):
            found = [client.get(path, headers=headers).status_code for _ in range(4)]
            assert found == [status] * 3 + [429]
        for headers in (alice, {}, invalid):  # the last two share the address
            answer = client.get(path, headers=headers)
            assert answer.status_code == 429
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert (answer.json()["code"], answer.json()["retryable"]) == ("rate_limited", True)
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
        assert client.get("/livez").status_code == 200
        with app_with(monkeypatch) as other_process:
            assert other_process.get(path, headers=alice).status_code == 429


@pytest.mark.parametrize(("limit", "excess"), [(1, 0), (60, 0), (119, 0), (600, 18)])
def test_two_processes_share_a_limit(
    world: World,  # noqa: ARG001 - sets the environment
    monkeypatch: pytest.MonkeyPatch,
    limit: int,
    excess: int,
) -> None:
    monkeypatch.setenv("MASHUP_REQUESTS_PER_MINUTE", str(limit))
    processes = [RateLimits(load_service_settings()) for _ in range(2)]

    async def served(sent: int) -> int:
        counting = (processes[number % 2].count("a") for number in range(sent))
        found = await asyncio.gather(*counting, return_exceptions=True)
        assert {type(one) for one in found} <= {type(None), RateLimited}
        return found.count(None)

    async def check() -> None:
        found = [await served(number) for number in (1, limit, 2 * limit, 3)]
        assert limit <= sum(found) <= limit + excess
        assert found[-1] == 0
        for one in processes:
            await one.close()

    asyncio.run(check())


def test_proxies_name_the_addresses_of_their_clients(services: StackInfo, tmp_path: Path) -> None:
    settings = {"MASHUP_REQUESTS_PER_MINUTE": "1", "MASHUP_TRUSTED_PROXIES": '["127.0.0.0/8"]'}
    with live_database(services).api(tmp_path, **settings) as api:
        for address, status in (
            ("192.0.2.1", 401),
            ("192.0.2.2", 401),
            ("192.0.2.1", 429),
            ("2001:db8::1", 401),
            ("2001:db8::2", 429),  # of the same network
            ("2001:db8:1::1", 401),
        ):
            answer = httpx2.get(f"{api.url}/api/jobs", headers={"X-Forwarded-For": address})
            assert answer.status_code == status, address


def test_no_request_waits_for_redis_for_long(
    world: World,  # noqa: ARG001 - sets the environment
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proxy = Proxy(port_of(redis_url))
    monkeypatch.setenv("REDIS_URL", with_port(redis_url, proxy.port))
    monkeypatch.setenv("MASHUP_REQUESTS_PER_MINUTE", "2")
    limits = RateLimits(load_service_settings())

    modes: tuple[Mode, ...] = ("hang", "refuse")

    async def check() -> None:
        for _ in range(2):
            await limits.count("a")
        for mode in modes:
            proxy.set_mode(mode)
            monkeypatch.setattr(rates, "_PAUSE_S", 60.0)
            started_s = time.monotonic()
            for _ in range(100):
                await limits.count("a")
            assert time.monotonic() - started_s < 5.0  # 25 s if each waited
            await asyncio.gather(*(limits.count("a") for _ in range(100)))
            proxy.set_mode("pass")
            proxy.drop()
            limits._retry_at_s = 0.0  # the pause is over
            with pytest.raises(RateLimited):
                await limits.count("a")
        await limits.close()

    asyncio.run(check())
    proxy.close()


def test_large_bodies_are_refused_before_they_are_read(world: World) -> None:
    headers = {**world.as_user(world.alice), "Content-Type": "application/json"}
    large = b'{"audio": "' + b"a" * 1_000_000 + b'"}'

    def blocks() -> Iterator[bytes]:
        yield from (large[start : start + 65_536] for start in range(0, len(large), 65_536))

    for content in (large, blocks()):
        answer = world.client.post(SEPARATE, content=content, headers=headers)
        assert answer.status_code == 413
        assert answer.json()["code"] == "too_large"
    headers.pop("Authorization")
    assert world.client.post(SEPARATE, content=large, headers=headers).status_code == 401


def test_a_request_without_a_token_writes_nothing(world: World) -> None:
    body = {"audio": "public/a.mp3"}
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Idempotency-Key": "k"}):
        for path in (SEPARATE, "/api/mashup/ai", "/api/jobs", f"/api/jobs/{uuid4()}/retry"):
            answer = world.client.post(path, json=body, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert world.rows("SELECT id FROM ai_jobs") == []


def test_pages_of_listed_origins_may_call_the_api(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = {
        "Origin": "https://app.test",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,idempotency-key",
    }
    path = f"/api/jobs/{uuid4()}"
    assert "Access-Control-Allow-Origin" not in world.client.options(SEPARATE, headers=ask).headers
    with app_with(monkeypatch, MASHUP_CORS_ORIGINS='["https://app.test"]') as client:
        allowed = client.options(SEPARATE, headers=ask)
        assert allowed.status_code == 200
        assert allowed.headers["Access-Control-Allow-Origin"] == "https://app.test"
        assert client.options(SEPARATE, headers={**ask, "Origin": "https://x"}).status_code == 400
        refused = client.get(path, headers={"Origin": "https://app.test"})
        assert refused.status_code == 401
        assert refused.headers["Access-Control-Allow-Origin"] == "https://app.test"
        assert "Retry-After" in refused.headers["Access-Control-Expose-Headers"]
