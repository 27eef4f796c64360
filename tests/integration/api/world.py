"""What tests of the API share: a client, users, and their tokens."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt
from psycopg.types.json import Jsonb

from mashup_worker.db import jobs
from mashup_worker.db.api_tokens import SCOPES, Scope, create_token, new_secret
from mashup_worker.vocabulary import JOB_TYPES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from fastapi.testclient import TestClient

    from mashup_worker.api.context import ApiContext
    from mashup_worker.db.database import Connection

JWT_SECRET = "a secret that signs the tokens of tests"


@dataclass(frozen=True)
class World:
    """An API with its database.

    Attributes:
        owner: connection as the owner of the tables, in autocommit.
        bucket: name of the bucket.
        alice, bob: users.
    """

    client: TestClient
    owner: Connection
    bucket: str
    alice: UUID
    bob: UUID

    @property
    def context(self) -> ApiContext:
        """Services of the API."""
        context: ApiContext = self.client.app.state.context  # type: ignore[attr-defined]
        return context

    def as_user(self, user: UUID) -> dict[str, str]:
        """Return the headers of a user's request."""
        return {"Authorization": f"Bearer {user_token(user)}"}

    def as_service(self, *scopes: Scope, user: UUID | None = None) -> dict[str, str]:
        """Return the headers of a service's request, by default with all scopes."""
        secret = new_secret()
        create_token(self.owner, secret, name="test", scopes=scopes or SCOPES, user_id=user)
        return {"Authorization": f"Bearer {secret}"}

    def subscribe(self, user: UUID, tier: str) -> None:
        """Give a user a tier."""
        self.owner.execute(
            "INSERT INTO subscriptions (user_id, tier) VALUES (%s, %s)", [user, tier]
        )

    def claim(self, job_id: UUID) -> jobs.Claim:
        """Start a job as a worker does."""
        job = jobs.change_status(
            self.owner, "claim", id=job_id, worker_id="w", lease_s=60, job_types=[*JOB_TYPES]
        )
        assert job is not None
        return jobs.Claim(id=job.id, attempt=job.attempt, worker_id="w")

    def complete(self, job_id: UUID, output: dict[str, Any]) -> jobs.Job:
        """Complete a queued job as a worker does."""
        return self.finish(self.claim(job_id), output)

    def finish(self, claim: jobs.Claim, output: dict[str, Any]) -> jobs.Job:
        """Complete a claimed job as a worker does."""
        job = jobs.change_status(
            self.owner,
            "complete",
            **claim.fence,
            output=Jsonb(output),
            result_digest=None,
            source_sha256=[],
            source_jobs=[],
        )
        assert job is not None
        return job

    def rows(self, statement: str, *values: Any) -> Sequence[dict[str, Any]]:
        """Return the rows of a query as the owner."""
        return self.owner.execute(statement.encode(), values).fetchall()


def user_token(user: UUID, secret: str = JWT_SECRET, **claims: Any) -> str:
    """Return a token as Supabase gives it to a user."""
    now_s = int(time.time())
    standard = {
        "sub": str(user),
        "aud": "authenticated",
        "iss": "https://auth.test/auth/v1",
        "role": "authenticated",
        "iat": now_s,
        "exp": now_s + 600,
    }
    return jwt.encode({**standard, **claims}, secret, algorithm="HS256")
