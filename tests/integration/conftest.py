"""Servers shared by all tests, with a new database, Redis database and bucket for each."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

from mashup_worker.db.migrate import migrate
from mashup_worker.stack.seaweed import S3Keys, s3_client
from mashup_worker.stack.stack import Stack
from mashup_worker.stack.supabase import create_database
from tests.chaos.fixtures import place, role_passwords, servers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mashup_worker.stack.info import StackInfo

__all__ = ["place", "servers"]

_numbers = itertools.count(1)


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Postgres, Valkey and S3 for all tests; tests that damage servers start their own."""
    servers = Stack(tmp_path_factory.mktemp("stack"))
    with servers:
        yield servers


@pytest.fixture(scope="package")
def services(stack: Stack) -> StackInfo:
    """Addresses of the servers."""
    return stack.info


@pytest.fixture(scope="package")
def migrated_template(services: StackInfo) -> str:
    """Name of a database with the schema, to copy, which takes a tenth of the time."""
    name = "migrated_template"
    migrate(create_database(services.database_url, name, role_passwords(services)))
    return name


@pytest.fixture
def database_url(services: StackInfo, request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of a new database as its owner, without tables unless the test uses `migrated_url`."""
    name = f"test_{next(_numbers)}"
    url = urlsplit(services.database_url)._replace(path=f"/{name}").geturl()
    with psycopg.connect(services.database_url, autocommit=True) as owner:
        if "migrated_url" in request.fixturenames:
            template = request.getfixturevalue("migrated_template")
            owner.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        else:
            create_database(services.database_url, name, role_passwords(services))
        yield url
        owner.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def worker_database_url(database_url: str, services: StackInfo) -> str:
    """URL of the same database, as the worker's role."""
    path = urlsplit(database_url).path
    return urlsplit(services.worker_database_url)._replace(path=path).geturl()


@pytest.fixture
def api_database_url(database_url: str, services: StackInfo) -> str:
    """URL of the same database, as the API's role."""
    path = urlsplit(database_url).path
    return urlsplit(services.api_database_url)._replace(path=path).geturl()


@pytest.fixture
def migrated_url(database_url: str) -> str:
    """URL of the same database, with the schema."""
    return database_url


@pytest.fixture
def redis_url(services: StackInfo) -> str:
    """URL of an empty Redis database."""
    url = urlsplit(services.redis_url)._replace(path=f"/{1 + next(_numbers) % 15}").geturl()
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture
def bucket(services: StackInfo) -> str:
    """Name of an empty bucket."""
    name = f"test-{next(_numbers)}"
    keys = S3Keys(services.access_key, services.secret_key, signing_key="")
    s3_client(services.s3_endpoint_url, keys).create_bucket(Bucket=name)
    return name
