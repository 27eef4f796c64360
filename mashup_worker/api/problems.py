"""Errors as problem documents (RFC 9457)."""

from __future__ import annotations

import logging
import re
from datetime import date
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import psycopg
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from mashup_worker.db.database import is_outage, reason_of
from mashup_worker.described import DescribedModel
from mashup_worker.errors import (
    Conflict,
    FetchFailed,
    Forbidden,
    InternalError,
    InvalidInput,
    MashupError,
    NotFound,
    QuotaExceeded,
    RateLimited,
    ServiceUnavailable,
    StorageFailed,
    TooLarge,
    Unauthenticated,
    UnsupportedAudio,
)
from mashup_worker.vocabulary import JOB_TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI, Request

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER_S = 5

_STATUS: tuple[tuple[type[MashupError], HTTPStatus], ...] = (
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (TooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (UnsupportedAudio, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
    (InvalidInput, HTTPStatus.UNPROCESSABLE_ENTITY),
    (Unauthenticated, HTTPStatus.UNAUTHORIZED),
    (Forbidden, HTTPStatus.FORBIDDEN),
    (QuotaExceeded, HTTPStatus.PAYMENT_REQUIRED),
    (RateLimited, HTTPStatus.TOO_MANY_REQUESTS),
    (FetchFailed, HTTPStatus.BAD_GATEWAY),
    (ServiceUnavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (StorageFailed, HTTPStatus.SERVICE_UNAVAILABLE),
)
"""Status of each error; the first class that fits decides."""


class FieldProblem(DescribedModel):
    """Problem of one field of a request."""

    field: str = Field(examples=["config.intensity"])
    message: str = Field(examples=["Input should be less than or equal to 1"])


class TierLimitProblem(DescribedModel):
    """Limit of a tier that is reached, and what lifts it.

    Attributes:
        limit: number of jobs of the type that the tier includes in each period.
        period: day or month, in UTC.
        until: first day of the next period.
        next_tier: lowest tier that includes more; absent for none.
    """

    model_config = ConfigDict(from_attributes=True)

    tier: str = Field(examples=["free"])
    job_type: str = Field(examples=["separate"])
    limit: int = Field(validation_alias="max_jobs", examples=[1])
    period: str = Field(examples=["day"])
    until: date
    next_tier: str | None = Field(default=None, examples=["pro"])


class Problem(DescribedModel):
    """Problem document.

    Attributes:
        type: name of the kind of problem, as a URN.
        code: code of the error, as in `error_code` of jobs.
        detail: the thing, its problem, and the remedy.
        retryable: whether the same request may succeed later.
        errors: invalid fields.
        quota: limit of the user's tier, for `quota_exceeded`.
    """

    type: str = Field(examples=["urn:mashup-worker:not_found"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    code: str = Field(examples=["not_found"])
    detail: str = Field(examples=["job 0b7f4d6c-5c1e-4f0b-b8f5-0d1c0b0a5c3e: not found"])
    retryable: bool
    errors: list[FieldProblem] = Field(default=[])
    quota: TierLimitProblem | None = None


def problem(error: MashupError, status: HTTPStatus | None = None, **more: Any) -> JSONResponse:
    """Return the answer for an error."""
    status = status or status_of(error)
    if isinstance(error, QuotaExceeded) and error.limit is not None:
        more["quota"] = TierLimitProblem.model_validate(error.limit)
    document = Problem(
        type=f"urn:mashup-worker:{error.code}",
        title=status.phrase,
        status=status,
        code=error.code,
        detail=_detail(error),
        retryable=error.retryable,
        **more,
    )
    headers = {}
    if isinstance(error, RateLimited):
        headers["Retry-After"] = str(error.retry_after_s)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(_RETRY_AFTER_S)
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    content = document.model_dump(mode="json", exclude_defaults=True)
    return JSONResponse(content, status, headers, media_type=MEDIA_TYPE)


def _detail(error: MashupError) -> str:
    """Return the text for clients; addresses of services are for the log only."""
    if not isinstance(error, ServiceUnavailable | StorageFailed):
        return error.message
    logger.warning("%s", error.message)
    is_store = isinstance(error, StorageFailed)
    service = "store" if is_store else re.split("[ :]", error.message, maxsplit=1)[0]
    return f"{service}: unavailable"


def status_of(error: MashupError) -> HTTPStatus:
    """Return the status of an error."""
    found = (status for kind, status in _STATUS if isinstance(error, kind))
    return next(found, HTTPStatus.INTERNAL_SERVER_ERROR)


def answer_with_problems(app: FastAPI) -> None:
    """Let an application answer every error with a problem document."""

    @app.exception_handler(MashupError)
    async def _known(_request: Request, error: MashupError) -> JSONResponse:
        return problem(error)

    @app.exception_handler(psycopg.Error)
    async def _database(_request: Request, error: psycopg.Error) -> JSONResponse:
        return problem(of_database(error))

    @app.exception_handler(RequestValidationError)
    async def _invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        fields = [_field_problem(one) for one in error.errors()]
        first = f"{fields[0].field}: {fields[0].message}"
        return problem(InvalidInput(first), errors=fields)

    @app.exception_handler(HTTPException)
    async def _of_framework(request: Request, error: HTTPException) -> JSONResponse:
        status = HTTPStatus(error.status_code)
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            error.headers = {"Allow": ", ".join(_allowed_methods(request))}
        if status == HTTPStatus.BAD_REQUEST:  # a body with bytes, numbers or depths that JSON lacks
            return problem(InvalidInput("body: not valid JSON"))
        kind = NotFound if status == HTTPStatus.NOT_FOUND else InvalidInput
        answer = problem(kind(_framework_detail(error)), status)
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(Exception)
    async def _unexpected(_request: Request, _error: Exception) -> JSONResponse:
        return problem(InternalError())  # the server logs the exception


def _allowed_methods(request: Request) -> list[str]:
    """Return the methods of all routes for an address; the framework reports those of one route."""
    return [
        method
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
        if any(
            route.matches({**request.scope, "method": method})[0] == Match.FULL
            for route in request.app.routes
        )
    ]


def _field_problem(error: Mapping[str, Any]) -> FieldProblem:
    """Return the problem of an error of pydantic, without the value, which may be a secret."""
    kind, message = error["type"], error["msg"].removeprefix("Value error, ")
    place, *steps = error["loc"]
    if kind == "json_invalid" and steps and isinstance(steps[0], int):
        return FieldProblem(field=place, message=f"not valid JSON at character {steps[0]}")
    if not steps and isinstance(error["input"], bytes):  # which FastAPI reads as JSON by its type
        return FieldProblem(field="Content-Type", message="not application/json")
    if kind.startswith("union_tag"):
        steps = [*steps, error["ctx"]["discriminator"].strip("'")]
        names = error["ctx"].get("expected_tags")
        message = f"unknown; use one of {names}" if names else "Field required"
    elif place == "body" and steps[1:2] == ["input"] and steps[0] in JOB_TYPES:
        del steps[0]  # the model that the discriminator chose, which is no field
    return FieldProblem(field=".".join(map(str, steps)) or place, message=message)


def _framework_detail(error: HTTPException) -> str:
    """Return the message for an error of the framework, which has the name of the status only."""
    if error.detail == HTTPStatus.NOT_FOUND.phrase:
        return "address: unknown; /api/openapi.json lists all"
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return f"method: not allowed for this address; use {(error.headers or {}).get('Allow')}"
    return str(error.detail)


def of_database(error: psycopg.Error) -> MashupError:
    """Return the error to report for one of Postgres."""
    if is_outage(error) or isinstance(error, psycopg.OperationalError):
        return ServiceUnavailable(f"Postgres: {reason_of(error)}")
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return NotFound("not found, or this caller must not use it")
    if isinstance(error, psycopg.errors.UntranslatableCharacter):
        return InvalidInput("a text has the character U+0000; remove it")
    if isinstance(error, psycopg.DataError | psycopg.IntegrityError):
        return InvalidInput(error.diag.message_primary or reason_of(error))
    logger.error("statement failed", exc_info=error)
    return InternalError()
