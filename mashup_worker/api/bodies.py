"""Rules for every request body: a token first, a size limit, and a minimum speed.

The framework reads bodies before it checks tokens, for as long as clients like. This middleware
stands before it, so that no byte of a body is read without a valid token. The code of a login link
is the only exception.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect

from mashup_worker.api.access.admission import known_caller
from mashup_worker.api.problems import problem, status_of
from mashup_worker.errors import InvalidInput, MashupError
from mashup_worker.storage.writing import too_large

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from mashup_worker.api.context import ApiContext

_MAX_BYTES = 1_000_000
"""Size limit of bodies, which the framework holds in memory."""

_LOGIN, _LOGIN_MAX_BYTES = "/api/session", 1_000
"""Path whose body is read without a token, as it has the code of a login link, and its limit."""

_MAX_BYTES_KEY = "mashup_worker.max_body_bytes"
"""Key of a request's scope: the size limit that its route set."""

_GRACE_S = 20.0
"""Longest pause of a client, and the time for which no minimum speed holds."""

_MIN_BYTES_PER_S = 4_096
_LINGER_S = 10.0
_LINGER_BYTES = 256 << 20


def allow_body(request: Request, max_bytes: int) -> None:
    """Replace the size limit of a request's body, for a route that does not hold it in memory."""
    request.scope[_MAX_BYTES_KEY] = max_bytes


class BodyRules:
    """Middleware that applies the rules.

    A request that breaks one is answered with its problem, even if the application hides it.
    """

    def __init__(self, app: ASGIApp, context: ApiContext) -> None:
        self._app, self._context = app, context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(self._context, scope, receive, send)
        with suppress(ClientDisconnect):
            await self._app(scope, body.receive, body.send)


class _Body:
    """Body of one request, and the end of its answer."""

    def __init__(self, context: ApiContext, scope: Scope, receive: Receive, send: Send) -> None:
        self._context, self._scope = context, scope
        self._receive, self._send = receive, send
        self._headers = Headers(scope=scope)
        length = self._headers.get("Content-Length", "")
        self._declared_bytes = int(length) if length.isdecimal() else 0
        self._is_complete = not (self._declared_bytes or "Transfer-Encoding" in self._headers)
        self._is_read = False
        self._read_bytes, self._waited_s = 0, 0.0
        self._error: MashupError | None = None
        self._error_status: HTTPStatus | None = None
        self._is_answered = self._is_replaced = False

    async def receive(self) -> Message:
        """Return the next part of the body.

        Raises:
            Unauthenticated, TooLarge, InvalidInput: the request breaks a rule.
        """
        if self._is_complete:
            return await self._receive()
        try:
            if not self._is_read:
                if self._scope["path"] != _LOGIN:
                    known_caller(self._scope)
                self._check_size(self._declared_bytes)
            message = await self._next()
            self._check_size(self._read_bytes)
        except MashupError as error:
            self._error, self._error_status = error, self._error_status or status_of(error)
            raise
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the answer, or the problem in its place."""
        if self._is_replaced:
            return
        if self._error is None or self._is_answered:
            await self._answer(message)
        else:
            self._is_replaced = True
            response = problem(self._error, self._error_status)
            await response(self._scope, self._receive, self._answer)

    async def _answer(self, message: Message) -> None:
        """Send a part of the answer, and close the connection if the body was not read."""
        if self._is_complete:
            await self._send(message)
        elif message["type"] == "http.response.start":
            self._is_answered = True
            MutableHeaders(scope=message)["Connection"] = "close"
            await self._send(message)
        elif message.get("more_body"):
            await self._send(message)
        else:
            # The client gets the whole answer, although its end is not announced yet.
            await self._send({**message, "more_body": True})
            await self._linger()
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _next(self) -> Message:
        """Return the next message of the client.

        Raises:
            InvalidInput: the client is too slow.
        """
        self._is_read = True
        timeout_s = self._context.settings.api.body_timeout_s
        credit_s = min(timeout_s, _GRACE_S + self._read_bytes / _MIN_BYTES_PER_S) - self._waited_s
        start_s = time.monotonic()
        try:
            async with asyncio.timeout(min(_GRACE_S, credit_s)):
                message = await self._receive()
        except TimeoutError:
            self._error_status = HTTPStatus.REQUEST_TIMEOUT
            raise InvalidInput(
                f"body: too slow; send it within {timeout_s:g} s, without pauses of {_GRACE_S:g} s"
            ) from None
        self._waited_s += time.monotonic() - start_s
        self._read_bytes += len(message.get("body", b""))
        self._is_complete = not message.get("more_body")
        return message

    def _check_size(self, size: int) -> None:
        default = _LOGIN_MAX_BYTES if self._scope["path"] == _LOGIN else _MAX_BYTES
        max_bytes = self._scope.get(_MAX_BYTES_KEY, default)
        if size > max_bytes:
            raise too_large("body", max_bytes)

    async def _linger(self) -> None:
        """Read and drop the rest of the body.

        Most clients read an answer only after they have sent everything, and lose it if the
        connection is closed before.
        """
        if self._headers.get("Expect", "").lower() == "100-continue" and not self._is_read:
            return  # the client sends nothing before it is told to
        if self._error_status == HTTPStatus.REQUEST_TIMEOUT:
            return
        left = _LINGER_BYTES
        try:
            async with asyncio.timeout(_LINGER_S):
                while left > 0:
                    message = await self._receive()
                    left -= len(message.get("body", b""))
                    if not message.get("more_body"):
                        return
        except TimeoutError:
            return
