"""`mashup api` as a process over a database of its own."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2
import psycopg
from psycopg.rows import dict_row

from mashup_worker.db.migrate import migrate
from mashup_worker.settings import StorageSettings
from mashup_worker.storage.s3 import S3Storage
from tests.chaos.arena import with_new_database
from tests.integration.api.process import ApiProcess, api_process
from tests.integration.api.world import JWT_SECRET, user_token

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from uuid import UUID

    from mashup_worker.stack.info import StackInfo


@dataclass(frozen=True)
class LiveDatabase:
    """Database with the schema, and the settings of an API over it."""

    url: str
    environment: Mapping[str, str]
    bucket: str

    @contextmanager
    def api(self, scratch: Path, **more: str) -> Iterator[ApiProcess]:
        """Start an API with more settings."""
        store = S3Storage(
            StorageSettings(
                s3_endpoint_url=self.environment["S3_ENDPOINT_URL"], s3_bucket=self.bucket
            )
        )
        with api_process({**self.environment, **more}, scratch, store) as process:
            yield process

    @contextmanager
    def owner(self) -> Iterator[psycopg.Connection[dict[str, Any]]]:
        """Yield a connection of the owner of the tables."""
        with psycopg.connect(self.url, autocommit=True, row_factory=dict_row) as connection:
            yield connection

    def new_user(self, tier: str = "studio") -> UUID:
        """Insert a user with a tier."""
        with self.owner() as owner:
            row = owner.execute("INSERT INTO profiles DEFAULT VALUES RETURNING id").fetchone()
            assert row is not None
            user: UUID = row["id"]
            owner.execute("INSERT INTO subscriptions (user_id, tier) VALUES (%s, %s)", [user, tier])
        return user


def live_database(services: StackInfo) -> LiveDatabase:
    """Return a new database."""
    info = with_new_database(services)
    migrate(info.database_url)
    environment = {
        **info.environment(),
        "DATABASE_URL": info.api_database_url,
        "MASHUP_API_URL": "http://api.test",
        "MASHUP_API_SECRET": "a secret of the tests, long enough",
        "SUPABASE_JWT_SECRET": JWT_SECRET,
    }
    return LiveDatabase(info.database_url, environment, info.bucket)


def client_of(api: ApiProcess, user: UUID) -> httpx2.Client:
    """Return a client of a user."""
    headers = {"Authorization": f"Bearer {user_token(user)}"}
    return httpx2.Client(base_url=api.url, headers=headers, timeout=60)
