"""Session of a browser, which its cookie stands for."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Request, Response, status
from pydantic import ConfigDict, Field

from mashup_worker.api.access.admission import address_of, known_caller
from mashup_worker.api.access.sessions import secret_in
from mashup_worker.api.context import AnyCaller, Context
from mashup_worker.api.documents import Document
from mashup_worker.db.api_tokens import Scope
from mashup_worker.described import DescribedModel
from mashup_worker.errors import Forbidden, InvalidInput, Unauthenticated

if TYPE_CHECKING:
    from mashup_worker.api.access.callers import Caller

router = APIRouter(prefix="/session", tags=["session"])

_LOGINS_PER_MINUTE = 20
"""Limit of codes that an address may try."""


class Login(DescribedModel):
    """Code of a login link."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(min_length=1, max_length=200, description="Text after `#login=` in the link.")


class SessionDocument(Document):
    """Caller, and what the session allows.

    Attributes:
        user_id: user; null for the service itself.
        expires_at: end of the session or token; null for no end.
    """

    user_id: UUID | None
    scopes: tuple[Scope, ...] = Field(examples=[["read", "write"]])
    expires_at: datetime | None

    @classmethod
    def of(cls, caller: Caller) -> SessionDocument:
        """Return the document of a caller."""
        scopes = tuple(sorted(caller.scopes))
        return cls(user_id=caller.user_id, scopes=scopes, expires_at=caller.expires_at)


async def _count_login(request: Request, context: Context) -> None:
    """Check that a page of another origin does not log its visitor in, and count codes."""
    headers = request.headers
    is_of_page = "sec-fetch-site" in headers or "origin" in headers
    if is_of_page and not context.sessions.comes_from_own_page(headers):
        raise Forbidden("session: pages of other origins must not log in")
    if "authorization" not in headers:
        await context.rates.count(f"login:{address_of(request.scope)}", _LOGINS_PER_MINUTE)


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    dependencies=[Depends(_count_login)],
    openapi_extra={"security": [{"token": []}, {}]},
)
def start_session(
    request: Request,
    response: Response,
    context: Context,
    login: Annotated[Login | None, Body()] = None,
) -> SessionDocument:
    """Start a session by the code of a login link, or by a token, and set its cookie.

    A code works once. A session lasts for twelve hours, and not longer than its token.
    """
    is_by_token = "authorization" in request.headers
    if login is not None and is_by_token:
        raise InvalidInput("session: give a code or a token, not both")
    if login is not None:
        secret, caller = context.sessions.start_by_code(login.code)
    elif is_by_token:
        secret, caller = context.sessions.start_by_token(known_caller(request.scope))
    else:
        raise Unauthenticated("session: neither code nor token; open a login link")
    earlier = secret_in(request.scope)
    if earlier is not None:
        context.sessions.end(earlier)
    context.sessions.set_cookie(response, secret, caller)
    return SessionDocument.of(caller)


@router.get("")
def get_session(response: Response, caller: AnyCaller) -> SessionDocument:
    """Return the caller of a session or token."""
    response.headers["Cache-Control"] = "no-store"
    return SessionDocument.of(caller)


@router.delete(
    "", status_code=status.HTTP_204_NO_CONTENT, openapi_extra={"security": [{"session": []}, {}]}
)
def end_session(request: Request, response: Response, context: Context) -> None:
    """End the session of the cookie, and delete the cookie."""
    secret = secret_in(request.scope)
    if secret is not None:
        if not context.sessions.comes_from_own_page(request.headers):
            raise Forbidden("session: requests of other pages must not change anything")
        context.sessions.end(secret)
    context.sessions.delete_cookie(response)
