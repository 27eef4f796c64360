"""Log lines, metrics and trace contexts of requests."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from mashup_worker.api.app import create_app
from mashup_worker.api.context import open_context
from mashup_worker.db import jobs
from mashup_worker.db.database import Database
from mashup_worker.logs import _JsonLines
from mashup_worker.monitoring.api_metrics import ApiMetrics
from mashup_worker.settings import load_service_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from mashup_worker.api.context import ApiContext
    from tests.integration.api.world import World

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"


class Lines(logging.Handler):
    """Handler that keeps lines as they are written with `MASHUP_LOG_FORMAT=json`."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(_JsonLines())
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))

    @property
    def requests(self) -> list[dict[str, Any]]:
        lines = [json.loads(text) for text in self.texts]
        return [line for line in lines if "route" in line]


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler, ours = Lines(), logging.getLogger("mashup_worker")
    level = ours.level
    ours.setLevel(logging.INFO)
    ours.addHandler(handler)
    yield handler
    ours.removeHandler(handler)
    ours.setLevel(level)


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    return exporter


def test_a_request_is_one_line_without_secrets(world: World, lines: Lines) -> None:
    job = jobs.insert(world.owner, "separate", {}, user_id=world.alice)
    headers = {**world.as_user(world.alice), "traceparent": TRACEPARENT}
    world.client.get(f"/api/jobs/{job.id}", params={"secret": "sesame"}, headers=headers)
    (line,) = lines.requests
    assert line.pop("ms") > 0
    known = ("method", "route", "status", "caller", "traceparent", "level")
    assert {name: line[name] for name in known} == {
        "method": "GET",
        "route": "/api/jobs/{job_id}",
        "status": 200,
        "caller": f"user:{world.alice}",
        "traceparent": TRACEPARENT,
        "level": "info",
    }
    text = "".join(lines.texts)
    assert "sesame" not in text
    assert headers["Authorization"].split()[1] not in text
    assert str(job.id) not in text


def test_refused_requests_are_logged_too(world: World, lines: Lines) -> None:
    world.client.get("/api/jobs/sesame", headers=world.as_service("read"))
    world.client.get(f"/api/jobs/{uuid4()}", headers={"Authorization": "Bearer sesame"})
    world.client.get("/sesame?sesame")
    world.client.put("/api/fleet", content=b"sesame")
    world.client.get("/livez")
    invalid, unknown, no_route, method = lines.requests
    assert (invalid["status"], invalid["caller"][:6]) == (422, "token:")
    assert (unknown["status"], unknown["caller"]) == (401, None)
    assert (no_route["status"], no_route["route"]) == (404, None)
    assert (method["status"], method["route"]) == (405, "/api/fleet")
    assert "sesame" not in "".join(lines.texts)


def test_clients_read_no_addresses_of_services(
    world: World, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = world.as_service()
    assert world.client.get("/api/jobs", headers=headers).status_code == 200  # knows the token
    for context in (world.context, world.context.callers):
        for name, database in vars(context).items():
            if isinstance(database, Database):
                away = Database("postgresql://secret-host.invalid:1/secret", timeout_s=1.0)
                monkeypatch.setitem(vars(context), name, away)
    for token in (headers, world.as_service()):
        answer = world.client.get("/api/jobs", headers=token)
        assert (answer.status_code, answer.json()["detail"]) == (503, "Postgres: unavailable")
        assert answer.headers["Retry-After"]
    assert "secret-host.invalid" in "".join(lines.texts)


def test_invalid_trace_contexts_are_ignored(world: World, lines: Lines) -> None:
    for traceparent in ("", "sesame", f"ff-{TRACE}-{SPAN}-01", f"{TRACEPARENT}-more", "00-0-0-01"):
        headers = {"traceparent": traceparent}
        assert world.client.get("/api/fleet", headers=headers).status_code == 401
    assert not any("traceparent" in line for line in lines.requests)
    assert "sesame" not in "".join(lines.texts)
    later = {"traceparent": f"01-{TRACE}-{SPAN}-01-more"}
    world.client.get("/api/fleet", headers=later)
    assert lines.requests[-1]["traceparent"] == TRACEPARENT


def other_context(_world: World) -> ApiContext:
    """Return a context over the same servers for another application, which closes it."""
    return open_context(load_service_settings())


def test_requests_and_streams_are_counted(world: World) -> None:
    context = other_context(world)
    metrics = ApiMetrics(context.check)
    app = create_app(context, metrics)
    streams = []

    async def events() -> AsyncIterator[str]:
        streams.append(metrics.registry.get_sample_value("mashup_api_event_streams"))
        yield "data: x\n\n"

    @app.get("/events/{name}")
    def stream(name: str) -> StreamingResponse:
        if name == "broken":
            raise RuntimeError(name)
        return StreamingResponse(events(), media_type="text/event-stream")

    with TestClient(app, raise_server_exceptions=False) as client:
        for path in ("/events/a", "/events/b", "/events/broken", "/nowhere", "/api/fleet"):
            client.get(path)
        client.request("HACK", "/nowhere")
        assert metrics.not_ready() is None

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(name, labels)

    route = {"method": "GET", "route": "/events/{name}"}
    assert value("mashup_api_requests_total", **route, status="200") == 2
    assert value("mashup_api_requests_total", **route, status="500") == 1
    assert value("mashup_api_request_seconds_count", **route) == 1
    other = {"route": "other", "status": "404"}
    assert value("mashup_api_requests_total", method="GET", **other) == 1
    assert value("mashup_api_requests_total", method="other", **other) == 1
    assert streams == [1, 1]
    assert value("mashup_api_event_streams") == 0


def insert_by_request(world: World) -> tuple[str, str]:
    """Return the trace context of a job that a request inserts, and of that request's span."""
    app = create_app(other_context(world))

    @app.post("/insert")
    def insert() -> tuple[str, str]:
        job = jobs.insert(world.owner, "separate", {})
        return str(job.id), f"{trace.get_current_span().get_span_context().span_id:016x}"

    headers = {**world.as_service(), "traceparent": TRACEPARENT}
    with TestClient(app) as client:
        job, span = client.post("/insert", headers=headers).json()
    [row] = world.rows("SELECT traceparent FROM ai_jobs WHERE id = %s", job)
    return row["traceparent"], span


def test_new_jobs_keep_the_trace_context_of_their_request(world: World) -> None:
    assert insert_by_request(world)[0] == TRACEPARENT


def test_jobs_of_clients_keep_their_trace_context(world: World) -> None:
    headers = {**world.as_service(), "traceparent": TRACEPARENT}
    body = {"job_type": "master", "input": {"audio": "public/a.wav"}}
    created = world.client.post("/api/jobs", json=body, headers=headers)
    assert created.status_code == 202, created.text
    [row] = world.rows("SELECT traceparent FROM ai_jobs WHERE id = %s", created.json()["jobId"])
    assert row["traceparent"] == TRACEPARENT


def test_requests_are_spans_that_jobs_belong_to(world: World, spans: InMemorySpanExporter) -> None:
    kept, span_id = insert_by_request(world)
    assert kept == f"00-{TRACE}-{span_id}-01"
    (span,) = spans.get_finished_spans()
    assert (span.name, f"{span.context.span_id:016x}") == ("POST /insert", span_id)
    assert span.parent is not None
    assert f"{span.parent.trace_id:032x}-{span.parent.span_id:016x}" == f"{TRACE}-{SPAN}"
