"""Sessions of browsers: a cookie in place of a token.

Scripts of pages can't read the cookie, and browsers send it to `/api` only, and for requests of
pages of the same site only. Requests that change something must also come from a page of the API.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from mashup_worker.api.access.callers import Caller, claims_of
from mashup_worker.api.access.lookups import SecretCache, look_up
from mashup_worker.db import sessions
from mashup_worker.errors import Forbidden, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from starlette.responses import Response
    from starlette.types import Scope

    from mashup_worker.db.api_tokens import Scope as TokenScope
    from mashup_worker.db.database import Connection, Database
    from mashup_worker.db.sessions import Session

COOKIE = "mashup_session"
"""Name of the cookie."""

_PATH = "/api"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_LIFETIME = timedelta(hours=12)


class Sessions:
    """Starts, finds and ends sessions.

    Args:
        database: database of the API.
        url: public address of the API, which decides whether the cookie needs TLS.
    """

    def __init__(self, database: Database, url: str) -> None:
        self._database, self._url = database, url
        self._known: SecretCache[Caller] = SecretCache()

    async def find(self, secret: str, scope: Scope) -> Caller:
        """Return the caller of a request by the secret in its cookie.

        Raises:
            Unauthenticated: the session is unknown, expired or ended.
            Forbidden: the request changes something and does not come from a page of the API, or
                is to act for another user.
            ServiceUnavailable: the database is away.
        """
        headers = Headers(scope=scope)
        if scope["method"] not in _SAFE_METHODS and not self.comes_from_own_page(headers):
            raise Forbidden("session: requests of other pages must not change anything")
        caller = await self._caller(secret)
        acting_for = headers.get("mashup-user")
        if acting_for is not None and acting_for.lower() != str(caller.user_id):
            raise Forbidden("Mashup-User: only service tokens act for other users")
        return caller

    def comes_from_own_page(self, headers: Mapping[str, str]) -> bool:
        """Return whether a browser says that a page of the API makes a request."""
        site = headers.get("sec-fetch-site")
        return headers.get("origin") == self._url if site is None else site == "same-origin"

    def start_by_code(self, code: str) -> tuple[str, Caller]:
        """Return secret and caller of a new session of a login link.

        Raises:
            Unauthenticated: the code is unknown, expired or used.
        """
        with self._database.transaction() as connection:
            login = sessions.use_code(connection, code)
            if login is None:
                raise Unauthenticated("code: unknown, expired or used; open a new login link")
            return _start(
                connection,
                user_id=login.user_id,
                scopes=login.scopes,
                claims=claims_of(login.user_id),
            )

    def start_by_token(self, caller: Caller) -> tuple[str, Caller]:
        """Return secret and caller of a new session with the rights and the end of a token.

        Raises:
            Unauthenticated: the token has ended.
        """
        with self._database.transaction() as connection:
            return _start(
                connection,
                user_id=caller.user_id,
                scopes=caller.scopes,
                claims=caller.claims,
                token_id=caller.token_id,
                ends_at=caller.expires_at,
            )

    def end(self, secret: str) -> None:
        """End a session."""
        with self._database.transaction() as connection:
            sessions.end_session(connection, secret)
        self._known.forget(secret)

    def set_cookie(self, response: Response, secret: str, caller: Caller) -> None:
        """Let the browser keep a session until it ends."""
        assert caller.expires_at is not None  # noqa: S101 - sessions always end
        seconds = max(0, int((caller.expires_at - datetime.now(UTC)).total_seconds()))
        self._set_cookie(response, secret, seconds)

    def delete_cookie(self, response: Response) -> None:
        """Let the browser forget its session."""
        self._set_cookie(response, "", 0)

    def _set_cookie(self, response: Response, value: str, seconds: int) -> None:
        response.set_cookie(
            COOKIE,
            value,
            max_age=seconds,
            path=_PATH,
            secure=self._url.startswith("https:"),
            httponly=True,
            samesite="strict",
        )
        response.headers["Cache-Control"] = "no-store"

    async def _caller(self, secret: str) -> Caller:
        caller = self._known.get(secret)
        if caller is None:
            session = await look_up(self._read, secret)
            if session is None:
                raise Unauthenticated("session: unknown, expired or ended; log in again")
            caller = _caller_of(session)
            self._known.put(secret, caller, session.expires_at)
        return caller

    def _read(self, secret: str) -> Session | None:
        with self._database.transaction() as connection:
            return sessions.valid_session(connection, secret)


def secret_in(scope: Scope) -> str | None:
    """Return the secret in the cookie of a request; None without one, or outside of `/api`."""
    if not scope["path"].startswith(f"{_PATH}/"):
        return None
    return cookie_parser(Headers(scope=scope).get("cookie", "")).get(COOKIE) or None


def _start(
    connection: Connection,
    *,
    user_id: UUID | None,
    scopes: frozenset[TokenScope],
    claims: Mapping[str, Any],
    token_id: UUID | None = None,
    ends_at: datetime | None = None,
) -> tuple[str, Caller]:
    """Return secret and caller of a new session, which ends at the given time at the latest."""
    secret, expires_at = sessions.new_secret(), datetime.now(UTC) + _LIFETIME
    sessions.start_session(
        connection,
        secret,
        user_id=user_id,
        scopes=scopes,
        claims=claims,
        token_id=token_id,
        expires_at=expires_at if ends_at is None else min(expires_at, ends_at),
    )
    session = sessions.valid_session(connection, secret)
    if session is None:
        raise Unauthenticated("token: expired or revoked")
    return secret, _caller_of(session)


def _caller_of(session: Session) -> Caller:
    return Caller(
        user_id=session.user_id,
        scopes=session.scopes,
        claims=session.claims,
        identity=f"user:{session.user_id}" if session.user_id else f"session:{session.id}",
        expires_at=session.expires_at,
    )
