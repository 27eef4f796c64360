"""Callers of the API, by their tokens."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mashup_worker.api.access.jwt import JwtVerifier
from mashup_worker.api.access.lookups import SecretCache, look_up
from mashup_worker.db.api_tokens import SCOPES, TOKEN_PREFIX, Scope, valid_token
from mashup_worker.errors import Forbidden, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mashup_worker.db.api_tokens import ApiToken
    from mashup_worker.db.database import Database
    from mashup_worker.settings import ApiSettings

_SCHEMES = ("bearer", "token")
_USER_SCOPES: frozenset[Scope] = frozenset({"read", "write"})
_LATEST_S = 253_402_300_799
"""Last second of the year 9999, after which Python has no times."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Caller of a request.

    Attributes:
        user_id: user for whom the caller acts; None for the service itself.
        scopes: what the token allows.
        claims: claims for row-level security.
        identity: name for rate limits and logs, without secrets.
        token_id: service token of the caller; None for a user's own token or a session.
        expires_at: end of the token or session; None for no end.
    """

    user_id: UUID | None
    scopes: frozenset[Scope]
    claims: Mapping[str, Any] = field(repr=False)
    identity: str
    token_id: UUID | None = None
    expires_at: datetime | None = None

    @property
    def role(self) -> str:
        """Role of the caller's statements in Postgres."""
        return "service_role" if self.user_id is None else "authenticated"

    def require(self, scope: Scope) -> None:
        """Check a scope.

        Raises:
            Forbidden: the token lacks it.
        """
        if scope not in self.scopes:
            raise Forbidden(f"token: lacks the scope {scope!r}")


def claims_of(user_id: UUID | None) -> dict[str, str]:
    """Return the claims of a user whose token is not a JWT; of the service itself for None."""
    if user_id is None:
        return {"role": "service_role"}
    return {"sub": str(user_id), "role": "authenticated", "aud": "authenticated"}


class Callers:
    """Finds the callers of tokens: service tokens by the database, all others as JWTs."""

    def __init__(self, database: Database, settings: ApiSettings) -> None:
        self._database = database
        self._jwt = JwtVerifier(settings)
        self._tokens: SecretCache[ApiToken] = SecretCache()
        self._users: SecretCache[Caller] = SecretCache()

    async def find(self, authorization: str | None, acting_for: str | None = None) -> Caller:
        """Return the caller of a request.

        Args:
            authorization: header `Authorization`, of the scheme `Bearer` or `Token`.
            acting_for: user for whom a service token acts in this request.

        Raises:
            Unauthenticated: the token is missing or invalid.
            Forbidden: the token must not act for the user.
            ServiceUnavailable: the database or the server of public keys is away.
        """
        scheme, _, secret = (authorization or "").partition(" ")
        secret = secret.strip()
        if scheme.lower() not in _SCHEMES or not secret:
            raise Unauthenticated("token: missing; send it as `Authorization: Bearer …`")
        if secret.startswith(TOKEN_PREFIX):
            return _of_token(await self._valid_token(secret), acting_for)
        caller = await self._user(secret)
        if acting_for is not None and acting_for.lower() != str(caller.user_id):
            raise Forbidden("Mashup-User: only service tokens act for other users")
        return caller

    async def _user(self, secret: str) -> Caller:
        caller = self._users.get(secret)
        if caller is None:
            claims = await self._jwt.claims(secret)
            user_id, end_s = UUID(claims["sub"]), int(claims["exp"])
            caller = Caller(
                user_id=user_id,
                scopes=_USER_SCOPES,
                claims=claims,
                identity=f"user:{user_id}",
                expires_at=datetime.fromtimestamp(min(end_s, _LATEST_S), UTC),
            )
            self._users.put(secret, caller, caller.expires_at)
        return caller

    async def _valid_token(self, secret: str) -> ApiToken:
        token = self._tokens.get(secret)
        if token is None:
            token = await look_up(self._read, secret)
            if token is None:
                raise Unauthenticated("token: unknown, expired or revoked")
            self._tokens.put(secret, token, token.expires_at)
        return token

    def _read(self, secret: str) -> ApiToken | None:
        with self._database.transaction() as connection:
            return valid_token(connection, secret)


def _of_token(token: ApiToken, acting_for: str | None) -> Caller:
    user_id = token.user_id
    scopes = frozenset(scope for scope in SCOPES if scope in token.scopes)
    if acting_for is not None:
        try:
            wanted = UUID(acting_for)
        except ValueError:
            raise Forbidden("Mashup-User: not a UUID") from None
        if user_id not in (None, wanted):
            raise Forbidden("Mashup-User: this token acts for one user only")
        user_id, scopes = wanted, scopes - {"operator"}
    return Caller(
        user_id=user_id,
        scopes=scopes,
        claims=claims_of(user_id),
        identity=f"token:{token.id}",
        token_id=token.id,
        expires_at=token.expires_at,
    )
