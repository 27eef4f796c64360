"""Spans of a real worker process, as a collector receives them."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.chaos.arena import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.arena import Arena

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"


class Collector(ThreadingHTTPServer):
    """Receiver of OTLP over HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spans: list[Any] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        assert self.path == "/v1/traces"
        body = self.rfile.read(int(self.headers["Content-Length"]))
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                self.server.spans += scope.spans
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@contextmanager
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def attributes_of(span: Any) -> dict[str, Any]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


def test_attempts_and_stages_are_spans_of_the_trace_of_their_row(place: Arena) -> None:
    with collector() as received:
        worker = place.worker_process(
            OTEL_EXPORTER_OTLP_ENDPOINT=received.url, MASHUP_LOG_FORMAT="json"
        )
        mirror = place.mirror()
        until(lambda: worker.is_ready() and mirror.is_ready(), "all processes to be ready")
        good = place.insert(traceparent=TRACEPARENT)
        broken = place.insert("inputs/broken", traceparent=TRACEPARENT)
        for job in (good, broken):
            place.ended(job)
        assert worker.end() == 0  # which sends the last spans
    attempts = {
        attributes_of(span)["mashup.job.id"]: span for span in received.named("job separate")
    }
    completed, failed = attempts[str(good)], attempts[str(broken)]
    for span in (completed, failed):
        assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, SPAN)
    assert attributes_of(completed) == {
        "mashup.job.id": str(good),
        "mashup.job.type": "separate",
        "mashup.job.attempt": 1,
        "mashup.job.outcome": "completed",
    }
    assert attributes_of(failed)["error.type"] == "invalid_input"
    stages = {
        name: next(s for s in received.named(name) if s.parent_span_id == completed.span_id)
        for name in ("work", "upload")
    }
    work, upload = stages["work"], stages["upload"]
    assert completed.start_time_unix_nano <= work.start_time_unix_nano
    assert work.end_time_unix_nano == upload.start_time_unix_nano
    assert upload.end_time_unix_nano <= completed.end_time_unix_nano
    lines = [json.loads(line) for line in worker.log.read_text().splitlines() if '"time"' in line]
    found = {line["job"]: line["traceparent"] for line in lines if "job" in line}
    assert found[str(good)] == f"00-{TRACE}-{completed.span_id.hex()}-01"
    assert found[str(broken)] == f"00-{TRACE}-{failed.span_id.hex()}-01"
    assert all(("job" in line) == ("traceparent" in line) for line in lines)


def test_log_lines_have_the_trace_context_of_the_row_without_spans(place: Arena) -> None:
    worker, mirror = place.worker_process(MASHUP_LOG_FORMAT="json"), place.mirror()
    until(lambda: worker.is_ready() and mirror.is_ready(), "all processes to be ready")
    jobs = [place.insert(traceparent=one) for one in (TRACEPARENT, None)]
    for job in jobs:
        place.ended(job)
    worker.end()
    lines = [json.loads(line) for line in worker.log.read_text().splitlines() if '"time"' in line]
    found = {line["job"]: line.get("traceparent") for line in lines if "job" in line}
    assert found == {str(jobs[0]): TRACEPARENT, str(jobs[1]): None}


def test_a_worker_stops_in_time_without_its_collector(place: Arena) -> None:
    worker = place.worker_process(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    mirror = place.mirror()
    until(lambda: worker.is_ready() and mirror.is_ready(), "all processes to be ready")
    place.ended(place.insert())
    started_s = time.monotonic()
    assert worker.end() == 0
    assert time.monotonic() - started_s < 20
