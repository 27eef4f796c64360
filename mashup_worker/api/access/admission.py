"""Checks of each request before its route: caller and rate."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

import psycopg
from starlette.datastructures import Headers

from mashup_worker.api.access.sessions import secret_in
from mashup_worker.api.problems import of_database, problem
from mashup_worker.errors import MashupError, RateLimited

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from mashup_worker.api.access.callers import Caller
    from mashup_worker.api.context import ApiContext

CALLER = "mashup_worker.caller"
"""Key of a request's scope: its caller, or the error of its token."""

_UNCOUNTED = frozenset({"/livez", "/readyz", "/studio"})
_UNCOUNTED_BELOW = "/studio/"
"""Static files, of which a page loads dozens at once."""


class Admission:
    """Middleware that finds the caller of each request, and counts it."""

    def __init__(self, app: ASGIApp, context: ApiContext) -> None:
        self._app, self._context = app, context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        path: str = scope.get("path", "")
        if scope["type"] != "http" or path in _UNCOUNTED or path.startswith(_UNCOUNTED_BELOW):
            await self._app(scope, receive, send)
            return
        caller = await self._caller(scope)
        if isinstance(caller, MashupError):
            identity = address_of(scope)
        else:
            identity = caller.identity
            scope.setdefault("state", {})["caller"] = identity  # for the log
        try:
            await self._context.rates.count(identity)
        except RateLimited as error:
            await problem(error)(scope, receive, send)
            return
        scope[CALLER] = caller
        await self._app(scope, receive, send)

    async def _caller(self, scope: Scope) -> Caller | MashupError:
        headers = Headers(scope=scope)
        authorization, secret = headers.get("authorization"), secret_in(scope)
        try:
            if authorization is None and secret is not None:
                return await self._context.sessions.find(secret, scope)
            return await self._context.callers.find(authorization, headers.get("mashup-user"))
        except MashupError as error:
            return error
        except psycopg.Error as error:
            return of_database(error)


def known_caller(scope: Scope) -> Caller:
    """Return the caller of a request that was admitted.

    Raises:
        Unauthenticated, Forbidden, ServiceUnavailable: as `Callers.find` and `Sessions.find`.
    """
    found: Caller | MashupError = scope[CALLER]
    if isinstance(found, MashupError):
        raise found
    return found


def address_of(scope: Scope) -> str:
    """Return the identity of a client without a valid token: its address, or its IPv6 network."""
    host = scope["client"][0] if scope.get("client") else "unknown"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"address:{host}"
    if address.version == 6:
        return f"address:{ipaddress.ip_network((address, 64), strict=False).network_address}"
    return f"address:{address}"
