"""The application: routes, errors, and the services behind them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from mashup_worker import __version__
from mashup_worker.api.access.admission import Admission
from mashup_worker.api.bodies import BodyRules
from mashup_worker.api.openapi import ERROR_ANSWERS, describe
from mashup_worker.api.problems import answer_with_problems
from mashup_worker.api.replicate.routes import REPLICATE_ROUTERS, elsewhere
from mashup_worker.api.request_log import RequestLog
from mashup_worker.api.routes import (
    billing,
    creation,
    events,
    exports,
    files,
    fleet,
    health,
    job_audio,
    jobs,
    mashups,
    session,
    songs,
    stems,
    uploads,
)
from mashup_worker.api.studio import pages
from mashup_worker.api.uploads import remove_leftovers
from mashup_worker.monitoring.api_metrics import ApiMetrics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from starlette.types import Lifespan

    from mashup_worker.api.context import ApiContext

_ROUTES = (
    session,
    creation,
    events,
    fleet,
    jobs,
    exports,
    job_audio,
    uploads,
    songs,
    stems,
    mashups,
    billing,
)

_REQUEST_HEADERS = (
    *("Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Last-Event-ID"),
    *("Mashup-User", "Range", "traceparent", "Prefer", "Cancel-After"),
)
_ANSWER_HEADERS = (*("Content-Disposition", "Content-Range", "ETag", "Location", "Retry-After"),)
_PREFLIGHT_S = 3_600
"""Time for which browsers remember the answer of a preflight request."""


def create_app(context: ApiContext, metrics: ApiMetrics | None = None) -> FastAPI:
    """Return the application for the services, which it closes when it ends."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        # In the background, since a store that is away must not delay the start.
        cleaning = asyncio.create_task(
            asyncio.to_thread(remove_leftovers, context.scratch, context.storage)
        )
        try:
            async with context.reads.running(), context.events.running():
                yield
            await cleaning
        finally:
            await context.close()

    app = _routes_app(lifespan)
    app.state.context = context
    answer_with_problems(app)
    # The last is the outermost.
    app.add_middleware(Admission, context=context)
    app.add_middleware(BodyRules, context=context)
    _allow_other_origins(app, context.settings.api.cors_origins)
    # Last, which means around all others, whose answers it logs too.
    app.add_middleware(RequestLog, metrics=metrics or ApiMetrics())
    return app


def openapi_document() -> dict[str, Any]:
    """Return the OpenAPI document, for which no service is needed."""
    return _routes_app().openapi()


def _routes_app(lifespan: Lifespan[FastAPI] | None = None) -> FastAPI:
    app = FastAPI(
        title="mashup-worker",
        version=__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,  # their addresses would be built from the header `Host`
        generate_unique_id_function=lambda route: route.name,
        # Spans of requests only; the log lines have the exceptions.
        telemetry={"logs": False, "operation_spans": False},
    )
    describe(app)
    app.include_router(health.router)
    app.include_router(pages.router)
    for module in _ROUTES:
        app.include_router(module.router, prefix="/api", responses=ERROR_ANSWERS)
    app.include_router(files.router, prefix="/v1", responses=ERROR_ANSWERS)
    for router in REPLICATE_ROUTERS:
        app.include_router(router, prefix="/v1", responses=ERROR_ANSWERS)
    app.include_router(elsewhere.router)  # last, as it has addresses without another route
    return app


def _allow_other_origins(app: FastAPI, origins: Sequence[str]) -> None:
    """Let web pages of other origins call the API."""
    if not origins:
        return
    app.add_middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "HEAD", "POST", "PUT", "DELETE"],
        allow_headers=_REQUEST_HEADERS,
        expose_headers=_ANSWER_HEADERS,
        max_age=_PREFLIGHT_S,
    )
