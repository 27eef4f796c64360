"""The API as an ASGI application in the test's process, over real servers."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest
from fastapi.testclient import TestClient
from psycopg.rows import dict_row

from mashup_worker.api.app import create_app
from mashup_worker.api.context import open_context
from mashup_worker.settings import load_service_settings
from tests.integration.api.world import JWT_SECRET, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mashup_worker.stack.info import StackInfo


@pytest.fixture
def world(
    migrated_url: str,
    api_database_url: str,
    redis_url: str,
    bucket: str,
    services: StackInfo,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    """An API over a new database, and two users."""
    for name, value in {
        **services.environment(),
        "DATABASE_URL": api_database_url,
        "REDIS_URL": redis_url,
        "S3_BUCKET": bucket,
        "MASHUP_API_URL": "http://testserver",
        "MASHUP_API_SECRET": "a secret of the tests, long enough",
        "SUPABASE_JWT_SECRET": JWT_SECRET,
    }.items():
        monkeypatch.setenv(name, value)
    with psycopg.connect(migrated_url, autocommit=True, row_factory=dict_row) as owner:
        users = [uuid4(), uuid4()]
        for user in users:
            owner.execute("INSERT INTO profiles (id) VALUES (%s)", [user])
        context = open_context(load_service_settings())
        with TestClient(create_app(context), raise_server_exceptions=False) as client:
            yield World(client=client, owner=owner, bucket=bucket, alice=users[0], bob=users[1])


@pytest.fixture
def without_limits(world: World) -> None:
    """Let both users make as many jobs as they want."""
    for user in (world.alice, world.bob):
        world.subscribe(user, "studio")
