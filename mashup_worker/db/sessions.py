"""Sessions of browsers and codes of login links, of which the database knows only the digests."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from mashup_worker.db.api_tokens import SCOPES, digest_of
from mashup_worker.db.named_sql import select

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from mashup_worker.db.api_tokens import Scope
    from mashup_worker.db.database import Connection

_CODE_LIFETIME_S = 900.0
_BITS = 256


@dataclass(frozen=True, kw_only=True)
class Login:
    """Who logs in by a code.

    Attributes:
        user_id: user; None for the service itself.
    """

    user_id: UUID | None
    scopes: frozenset[Scope]


@dataclass(frozen=True, kw_only=True)
class Session:
    """Valid session without its secret.

    Attributes:
        user_id: user; None for the service itself.
        claims: claims for row-level security.
    """

    id: UUID
    user_id: UUID | None
    scopes: frozenset[Scope]
    claims: Mapping[str, Any] = field(repr=False)
    expires_at: datetime


def new_secret() -> str:
    """Return a new secret of 256 random bits, for a code or a session."""
    return secrets.token_urlsafe(_BITS // 8)


def create_code(
    connection: Connection, code: str, *, user_id: UUID | None, scopes: Sequence[Scope]
) -> datetime:
    """Store a code as the owner of the tables; return the end of its validity in 15 minutes."""
    [row] = select(
        connection,
        "sessions.create_code",
        sha256=digest_of(code),
        user_id=user_id,
        scopes=list(scopes),
        lifetime_s=_CODE_LIFETIME_S,
    )
    expires_at: datetime = row["expires_at"]
    return expires_at


def use_code(connection: Connection, code: str) -> Login | None:
    """Return who logs in by a code, which ends it; None if it is unknown, used or expired."""
    rows = select(connection, "sessions.use_code", sha256=digest_of(code))
    return Login(**_with_scopes(rows[0])) if rows else None


def start_session(
    connection: Connection,
    secret: str,
    *,
    user_id: UUID | None,
    scopes: frozenset[Scope],
    claims: Mapping[str, Any],
    token_id: UUID | None,
    expires_at: datetime,
) -> None:
    """Store a session, which also ends with the service token that started it."""
    select(
        connection,
        "sessions.start",
        sha256=digest_of(secret),
        user_id=user_id,
        scopes=[scope for scope in SCOPES if scope in scopes],
        claims=Jsonb(dict(claims)),
        token_id=token_id,
        expires_at=expires_at,
    )


def valid_session(connection: Connection, secret: str) -> Session | None:
    """Return the session of a secret; None if it is unknown, expired or ended."""
    rows = select(connection, "sessions.valid", sha256=digest_of(secret))
    return Session(**_with_scopes(rows[0])) if rows else None


def end_session(connection: Connection, secret: str) -> None:
    """End a session, if the secret is that of one."""
    select(connection, "sessions.end", sha256=digest_of(secret))


def _with_scopes(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "scopes": frozenset(scope for scope in SCOPES if scope in row["scopes"])}
