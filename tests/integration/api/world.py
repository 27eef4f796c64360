"""What tests of the API share: a client, users, and their tokens."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt

from mashup_worker.db.api_tokens import SCOPES, Scope, create_token, new_secret

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
        alice, bob: users.
    """

    client: TestClient
    owner: Connection
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
