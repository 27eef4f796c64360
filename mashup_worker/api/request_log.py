"""Log line, metrics and trace context of each request."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect

from mashup_worker.logs import fields
from mashup_worker.tracing import HEADER, request_trace

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from mashup_worker.monitoring.api_metrics import ApiMetrics

logger = logging.getLogger(__name__)

_FAILED, _LEFT = 500, 499
_QUIET = ("/livez", "/readyz", "/studio/assets/{name:path}")
"""Routes whose answers are logged only if they are errors."""
_EVENT_STREAM = b"text/event-stream"


class RequestLog:
    """Middleware that logs and counts requests, and makes their trace context the current one.

    A line has method, route template, status, duration and caller: neither path, query, body nor
    token, which may be secrets.
    """

    def __init__(self, app: ASGIApp, metrics: ApiMetrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = _Request(scope, self._metrics)

        async def send_watched(message: Message) -> None:
            request.sent(message)
            await send(message)

        with request_trace(_traceparent(scope)):
            try:
                await self._app(scope, receive, send_watched)
            except BaseException as error:
                request.raised(error)
                raise
            finally:
                request.end()


class _Request:
    """Request that is served."""

    def __init__(self, scope: Scope, metrics: ApiMetrics) -> None:
        self._scope, self._metrics = scope, metrics
        self._started_s = time.perf_counter()
        self._status: int | None = None
        self._is_stream = False

    def sent(self, message: Message) -> None:
        """Record a message of the answer."""
        if message["type"] != "http.response.start":
            return
        self._status = message["status"]
        types = (value for name, value in message.get("headers", ()) if name == b"content-type")
        self._is_stream = next(types, b"").startswith(_EVENT_STREAM)
        if self._is_stream:
            self._metrics.stream_opened()

    def raised(self, error: BaseException) -> None:
        """Record an exception before an answer."""
        if self._status is None:
            left = isinstance(error, ClientDisconnect | asyncio.CancelledError)
            self._status = _LEFT if left else _FAILED

    def end(self) -> None:
        """Log and count the request."""
        seconds = time.perf_counter() - self._started_s
        method, route = self._scope["method"], route_of(self._scope)
        status = _LEFT if self._status is None else self._status
        if self._is_stream:
            self._metrics.stream_closed()
        self._metrics.answered(method, route, status, None if self._is_stream else seconds)
        if route in _QUIET and status < 400:
            return
        caller = self._scope.get("state", {}).get("caller")
        ms = round(1_000 * seconds, 1)
        logger.info(
            "%s %s: %d after %s ms for %s",
            *(method, route or "unknown path", status, ms, caller or "unknown caller"),
            extra=fields(method=method, route=route, status=status, ms=ms, caller=caller),
        )


def route_of(scope: Scope) -> str | None:
    """Return the template of the route that served a request; None for an unknown path."""
    # FastAPI keeps the route with the prefixes of its routers beside the route itself.
    prefixed = scope.get("fastapi", {}).get("effective_route_context")
    route: Any = prefixed or scope.get("route")
    template: str | None = getattr(route, "path_format", None)
    return template


def _traceparent(scope: Scope) -> str | None:
    """Return the trace context of a request; several headers make none."""
    values = [value for name, value in scope["headers"] if name == HEADER.encode()]
    return values[0].decode("latin-1") if len(values) == 1 else None
