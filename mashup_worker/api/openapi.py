"""OpenAPI document of the application."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi

from mashup_worker.api.access.sessions import COOKIE
from mashup_worker.api.problems import MEDIA_TYPE, Problem
from mashup_worker.described import prose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

    Json = dict[str, Any]

_DESCRIPTION = """Separates songs into stems, analyzes them, and makes and masters mashups.

Jobs are created with `POST` and followed as events. Every error is a problem document (RFC 9457)
whose `code` programs can read. Routes below `/v1` have the form of Replicate's API."""

_TAGS = {
    "session": "Sessions of browsers.",
    "jobs": "Creating, following, canceling and repeating of jobs.",
    "uploads": "Files for jobs.",
    "songs": "Songs of the caller, with their stems, and corrections of their analyses.",
    "stems": "Search, provenance, audio and waveforms of stems.",
    "mashups": "Saved mashups, and the shares of the creators of their stems.",
    "billing": "Tier, limits, and the number of jobs left.",
    "fleet": "Queues, worker processes, throughput and cost, for operators.",
    "files": "Files behind signed links.",
    "predictions": "Separations in the form of Replicate's API.",
    "webhooks": "Secret with which webhooks are signed.",
}

_ERRORS = {
    HTTPStatus.UNAUTHORIZED: "No valid token",
    HTTPStatus.FORBIDDEN: "The token lacks a scope",
    HTTPStatus.NOT_FOUND: "Not found, or of another user",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Invalid request",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests",
    HTTPStatus.SERVICE_UNAVAILABLE: "A service is unavailable",
}

ERROR_ANSWERS: dict[int | str, dict[str, Any]] = {
    int(status): {"model": Problem, "description": text} for status, text in _ERRORS.items()
}
"""Error answers of all routes."""

_BODY_ERRORS = {
    HTTPStatus.REQUEST_TIMEOUT: "The body arrived too slowly",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large",
}
"""Error answers of all routes with a body."""

_RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds after which the request may be repeated.",
        "schema": {"type": "integer", "minimum": 0},
    }
}
_CHALLENGE = {"WWW-Authenticate": {"schema": {"type": "string", "const": "Bearer"}}}
_ERROR_HEADERS = {
    HTTPStatus.UNAUTHORIZED: _CHALLENGE,
    HTTPStatus.TOO_MANY_REQUESTS: _RETRY_AFTER,
    HTTPStatus.SERVICE_UNAVAILABLE: _RETRY_AFTER,
}

_HEADERS = {
    "idempotency-key": "Idempotency-Key",
    "prefer": "Prefer",
    "cancel-after": "Cancel-After",
}


def describe(app: FastAPI) -> None:
    """Let an application serve the document of its routes."""

    def document() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI) -> Json:
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary="Job queue for stems and mashups",
        description=_DESCRIPTION,
        license_info={"name": "MIT", "identifier": "MIT"},
        tags=[{"name": name, "description": text} for name, text in _TAGS.items()],
        routes=app.routes,
    )
    document["components"]["responses"] = {
        _name(status): _error(status, text) for status, text in (_ERRORS | _BODY_ERRORS).items()
    }
    schemas = document["components"]["schemas"]
    _describe_cookie(document)
    for operation in _operations(document):
        _describe_operation(operation)
        _describe_success(operation, schemas)
        _describe_parameters(operation)
        _describe_errors(operation)
        _describe_stream(operation)
    _drop_titles(schemas)
    _drop_titles(document["paths"])
    return document


def _describe_cookie(document: Json) -> None:
    """Let the cookie of a session stand for a token below `/api`."""
    document["components"]["securitySchemes"]["session"] = {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "Cookie of a session, from pages of the API's own origin.",
    }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if path.startswith("/api/") and operation.get("security") == [{"token": []}]:
                operation["security"].append({"session": []})


def _operations(document: Json) -> Iterator[Json]:
    for path in document["paths"].values():
        yield from path.values()


def _describe_operation(operation: Json) -> None:
    """Replace the summary, which is the name of the function, by the docstring's first sentence."""
    text = prose(operation.pop("description"))
    summary = _first_sentence(text)
    operation["summary"] = summary
    if text != f"{summary}.":
        operation["description"] = text


def _describe_success(operation: Json, schemas: Json) -> None:
    """Replace the description of an answer, which is the framework's, by that of its document."""
    for answer in operation["responses"].values():
        if answer["description"] == "Successful Response":
            schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
            found = schemas.get(schema.get("$ref", "").rpartition("/")[2])
            answer["description"] = _first_sentence(found["description"]) if found else "Done"


def _describe_parameters(operation: Json) -> None:
    """Remove null from the types of parameters, where it means that they are absent."""
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "header":
            name = parameter["name"]
            parameter["name"] = name.title() if name.islower() else name
        schema = parameter["schema"]
        schema.pop("description", None)
        kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
        if len(kinds) == 1:
            del schema["anyOf"]
            schema |= kinds[0]


def _describe_errors(operation: Json) -> None:
    """Give errors the media type of problems; share those that are alike."""
    answers = operation["responses"]
    if "security" not in operation:
        for status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            answers.pop(str(int(status)), None)
    if "requestBody" in operation:
        for status, text in _BODY_ERRORS.items():
            answers.setdefault(str(int(status)), {"description": text})
    for status in [key for key in answers if key >= "400"]:
        known, text = HTTPStatus(int(status)), answers[status]["description"]
        is_shared = (_ERRORS | _BODY_ERRORS).get(known) == text
        answers[status] = (
            {"$ref": f"#/components/responses/{_name(known)}"} if is_shared else _error(known, text)
        )
    operation["responses"] = dict(sorted(answers.items()))


def _describe_stream(operation: Json) -> None:
    """Remove the JSON of a stream, which names the document of its events only."""
    content = operation["responses"].get("200", {}).get("content", {})
    if "text/event-stream" in content:
        content.pop("application/json", None)


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].partition("\n")[0].removesuffix(".")


def _error(status: HTTPStatus, text: str) -> Json:
    answer = {
        "description": text,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    headers = _ERROR_HEADERS.get(status)
    return answer if headers is None else answer | {"headers": headers}


def _name(status: HTTPStatus) -> str:
    return status.name.title().replace("_", "")


def _drop_titles(node: Any) -> None:
    """Remove the titles that pydantic makes of the names of fields."""
    if isinstance(node, list):
        for item in node:
            _drop_titles(item)
    elif isinstance(node, dict):
        if isinstance(node.get("title"), str):
            del node["title"]
        for key, item in node.items():
            if key not in ("example", "examples", "default", "enum", "const"):
                _drop_titles(item)
