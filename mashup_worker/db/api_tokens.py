"""Service tokens of the HTTP API, of which the database knows only the digests."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from mashup_worker.db.named_sql import select
from mashup_worker.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from mashup_worker.db.database import Connection

Scope = Literal["read", "write", "operator"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
"""Read jobs and stems; create and change them; see and steer the fleet."""

TOKEN_PREFIX = "mashup_"  # noqa: S105 - marks tokens, as secret scanners expect
"""First letters of every token."""


@dataclass(frozen=True, kw_only=True)
class ApiToken:
    """Service token without its secret.

    Attributes:
        user_id: user for whom the token acts; None for the service itself.
        expires_at: end of its validity; None for no end.
        revoked_at: time of its revocation.
    """

    id: UUID
    name: str
    scopes: tuple[Scope, ...]
    user_id: UUID | None
    expires_at: datetime | None
    created_at: datetime | None = None
    revoked_at: datetime | None = None


def new_secret() -> str:
    """Return a new token of 256 random bits."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def create_token(
    connection: Connection,
    secret: str,
    *,
    name: str,
    scopes: Sequence[Scope],
    user_id: UUID | None = None,
    lifetime_s: float | None = None,
) -> ApiToken:
    """Store a token, or rename it if it is stored already."""
    [row] = select(
        connection,
        "api_tokens.create",
        name=name,
        sha256=digest_of(secret),
        scopes=list(scopes),
        user_id=user_id,
        lifetime_s=lifetime_s,
    )
    return _token(row)


def valid_token(connection: Connection, secret: str) -> ApiToken | None:
    """Return the token of a secret; None if it is unknown, expired or revoked."""
    rows = select(connection, "api_tokens.valid", sha256=digest_of(secret))
    return _token(rows[0]) if rows else None


def all_tokens(connection: Connection) -> list[ApiToken]:
    """Return all tokens, the oldest first."""
    return [_token(row) for row in select(connection, "api_tokens.all")]


def revoke_token(connection: Connection, token_id: UUID) -> ApiToken:
    """Revoke a token.

    Raises:
        NotFound: no token has this id.
    """
    rows = select(connection, "api_tokens.revoke", id=token_id)
    if not rows:
        raise NotFound(f"token {token_id}: not found")
    return _token(rows[0])


def _token(row: dict[str, object]) -> ApiToken:
    return ApiToken(**{**row, "scopes": tuple(row["scopes"])})  # type: ignore[arg-type]


def digest_of(secret: str) -> bytes:
    """Return the digest of a secret that was made at random."""
    # The secret has 256 random bits, so a plain digest can't be reversed by trying.
    return hashlib.sha256(secret.encode()).digest()
