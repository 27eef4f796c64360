"""Services of the API, and what each request takes from them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Header, Request, Security
from fastapi.security import HTTPBearer

from mashup_worker.api.access.admission import known_caller
from mashup_worker.api.access.callers import Caller, Callers, claims_of
from mashup_worker.api.access.rates import RateLimits
from mashup_worker.api.access.sessions import Sessions
from mashup_worker.api.events import JobEvents
from mashup_worker.db.database import open_database
from mashup_worker.db.reads import Reads
from mashup_worker.errors import InvalidInput
from mashup_worker.queue.redis_client import open_redis
from mashup_worker.storage.objects import open_storage
from mashup_worker.system.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from redis import Redis

    from mashup_worker.db.api_tokens import Scope
    from mashup_worker.db.database import Connection, Database
    from mashup_worker.settings import ServiceSettings
    from mashup_worker.storage.objects import Storage

_UPLOADS = "uploads/{user_id}/"
_READING_CONNECTIONS = 8
_CONNECTIONS = 16
"""Transactions at the same time; more requests wait for one of them."""


@dataclass(frozen=True, kw_only=True)
class ApiContext:
    """Services that all requests share."""

    settings: ServiceSettings
    database: Database
    redis: Redis
    storage: Storage
    callers: Callers
    sessions: Sessions
    scratch: Scratch
    rates: RateLimits
    events: JobEvents
    reads: Reads

    @contextmanager
    def transaction(self, caller: Caller) -> Iterator[Connection]:
        """Yield a connection in a transaction with the rights of a caller.

        Raises:
            ServiceUnavailable: no connection is available.
        """
        with self.database.transaction(caller.role, caller.claims) as connection:
            yield connection

    async def select(
        self, caller: Caller, statement: str, /, **parameters: Any
    ) -> list[dict[str, Any]]:
        """Execute one statement on the event loop with the rights of a caller; return its rows.

        Raises:
            ServiceUnavailable: no connection is available.
        """
        return await self.reads.select(caller.role, caller.claims, statement, **parameters)

    @property
    def url(self) -> str:
        """Public address of the API, without a slash at its end."""
        assert self.settings.api.api_url is not None  # noqa: S101 - checked by `open_context`
        return self.settings.api.api_url

    @property
    def secret(self) -> bytes:
        """Secret from which all keys of the API are derived."""
        assert self.settings.api.api_secret is not None  # noqa: S101 - checked by `open_context`
        return self.settings.api.api_secret.get_secret_value().encode()

    def check(self) -> None:
        """Query Postgres.

        Raises:
            ServiceUnavailable, psycopg.Error: it does not answer.
        """
        with self.database.transaction() as connection:
            connection.execute("SELECT 1")

    async def close(self) -> None:
        """Close all connections, and remove temporary files."""
        await self.rates.close()
        self.database.close()
        self.redis.close()
        self.storage.close()
        self.scratch.close()


def open_context(settings: ServiceSettings) -> ApiContext:
    """Return the services of the settings, without connecting.

    Raises:
        InvalidInput: a setting is missing.
    """
    if settings.api.api_secret is None:
        raise InvalidInput("MASHUP_API_SECRET: not set; give 32 random letters or more")
    if settings.api.api_url is None:
        raise InvalidInput("MASHUP_API_URL: not set; give the public address, as https://host")
    if not any(_UPLOADS.startswith(prefix) for prefix in settings.inputs.input_prefixes):
        raise InvalidInput(f"MASHUP_INPUT_PREFIXES: without {_UPLOADS}; no job could read uploads")
    database = open_database(settings, size=_CONNECTIONS)
    reads = Reads(database, size=_READING_CONNECTIONS)
    return ApiContext(
        settings=settings,
        database=database,
        redis=open_redis(settings),
        storage=open_storage(settings.storage),
        callers=Callers(database, settings.api),
        sessions=Sessions(database, settings.api.api_url),
        scratch=Scratch("mashup-api-", settings.worker.scratch),
        rates=RateLimits(settings),
        events=JobEvents(reads, settings),
        reads=reads,
    )


async def context_of(request: Request) -> ApiContext:
    """Return the services of the application that serves a request."""
    # Asynchronous, or it would be called in another thread.
    context: ApiContext = request.app.state.context
    return context


# For OpenAPI only: the middlewares have checked the token, of this scheme or `Token`.
_TOKEN = HTTPBearer(
    scheme_name="token",
    bearerFormat="JWT of Supabase, or service token",
    description="JWT that Supabase gives to a user, or a token of `mashup tokens create`.",
    auto_error=False,
)


async def _caller(
    request: Request,
    _token: Annotated[object, Security(_TOKEN)],
    _acting_for: Annotated[
        str | None,
        Header(
            alias="Mashup-User",
            description="User for whom a service token acts.",
            json_schema_extra={"format": "uuid"},
        ),
    ] = None,
) -> Caller:
    return known_caller(request.scope)


def allowed(scope: Scope) -> Callable[[Caller], Caller]:
    """Return a dependency that gives the caller of a request, who must have a scope."""

    async def check(caller: Annotated[Caller, Depends(_caller)]) -> Caller:
        caller.require(scope)
        return caller

    return check  # type: ignore[return-value]


def _operator(caller: Annotated[Caller, Depends(allowed("operator"))]) -> Caller:
    """Return the service itself: the fleet belongs to no user."""
    return replace(caller, user_id=None, claims=claims_of(None))


Context = Annotated[ApiContext, Depends(context_of)]
AnyCaller = Annotated[Caller, Depends(_caller)]
Reader = Annotated[Caller, Depends(allowed("read"))]
Writer = Annotated[Caller, Depends(allowed("write"))]
Operator = Annotated[Caller, Depends(_operator)]
