"""Trace contexts, and spans where OpenTelemetry is configured."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from mashup_worker.tracing import (
    current_traceparent,
    job_trace,
    request_trace,
    trace_headers,
    valid_traceparent,
)

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    return exporter


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        (TRACEPARENT, TRACEPARENT),
        (f"00-{TRACE}-{SPAN}-00", f"00-{TRACE}-{SPAN}-00"),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like", TRACEPARENT),
        (f"cc-{TRACE}-{SPAN}-01", TRACEPARENT),
        (f"cc-{TRACE}-{SPAN}-01.", None),
        (f"00-{TRACE}-{SPAN}-01-more", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (TRACEPARENT.upper(), None),
        (f"{TRACEPARENT}\n", None),
        (f" {TRACEPARENT}", None),
        ("", None),
        (None, None),
    ],
)
def test_trace_contexts(text: str | None, valid: str | None) -> None:
    assert valid_traceparent(text) == valid


def in_another_thread() -> str | None:
    found = []
    thread = threading.Thread(target=lambda: found.append(current_traceparent()))
    thread.start()
    thread.join()
    return found[0]


def test_a_job_has_its_trace_context_in_all_threads() -> None:
    with job_trace("job separate", TRACEPARENT, {}) as span:
        assert current_traceparent() == in_another_thread() == TRACEPARENT
        assert trace_headers() == {"traceparent": TRACEPARENT}
        span.add_stage("fetch", 1, 2)
        span.set_outcome("failed", "timeout")
    assert current_traceparent() is None
    assert trace_headers() == {}
    with job_trace("job separate", "invalid", {}):
        assert current_traceparent() is None


def test_a_request_has_its_trace_context_alone() -> None:
    with request_trace(TRACEPARENT):
        assert current_traceparent() == TRACEPARENT
        assert in_another_thread() is None
    assert current_traceparent() is None


def test_an_attempt_is_a_span_with_its_stages(spans: InMemorySpanExporter) -> None:
    with job_trace("job separate", TRACEPARENT, {"mashup.job.attempt": 2}) as span:
        inside = current_traceparent()
        assert in_another_thread() == inside
        span.add_stage("fetch", 1_000, 2_000)
        span.add_stage("separate", 2_000, 9_000)
        span.set_outcome("failed", "timeout")
    assert current_traceparent() is None
    fetch, separate, attempt = spans.get_finished_spans()
    assert inside == f"00-{TRACE}-{attempt.context.span_id:016x}-01"
    assert attempt.parent is not None
    assert f"{attempt.parent.span_id:016x}" == SPAN
    assert dict(attempt.attributes or {}) == {
        "mashup.job.attempt": 2,
        "mashup.job.outcome": "failed",
        "error.type": "timeout",
    }
    assert attempt.status.status_code is trace.StatusCode.ERROR
    assert (fetch.name, fetch.start_time, fetch.end_time) == ("fetch", 1_000, 2_000)
    for stage in (fetch, separate):
        assert stage.parent is not None
        assert stage.parent.span_id == attempt.context.span_id


def test_an_attempt_without_a_trace_context_starts_a_trace(spans: InMemorySpanExporter) -> None:
    with job_trace("job master", None, {}):
        inside = current_traceparent()
    (attempt,) = spans.get_finished_spans()
    assert attempt.parent is None
    ids = f"00-{attempt.context.trace_id:032x}-{attempt.context.span_id:016x}-"
    assert str(inside).startswith(ids)


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    script = (
        "import logging; logging.basicConfig(format='%(message)s')\n"
        "from mashup_worker.tracing import export_spans, job_trace\n"
        f"{code}\n"
        "export_spans('mashup-test')\n"
        "with job_trace('job separate', None, {}): pass"
    )
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )


def test_spans_go_where_the_variables_say() -> None:
    shown = run("", OTEL_TRACES_EXPORTER="console")
    assert '"name": "job separate"' in shown.stdout
    assert '"service.name": "mashup-test"' in shown.stdout
    assert shown.stderr == ""
    named = run("", OTEL_TRACES_EXPORTER="console", OTEL_SERVICE_NAME="other")
    assert '"service.name": "other"' in named.stdout


@pytest.mark.parametrize(
    ("code", "environment", "warning"),
    [
        ("", {}, ""),
        ("", {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, ""),
        ("", {"OTEL_TRACES_EXPORTER": "pigeon"}, "pigeon: not installed"),
        (
            "import sys; sys.modules['opentelemetry'] = None",
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"},
            "otlp: not installed; run pip install 'mashup-worker[tracing]'",
        ),
    ],
)
def test_no_spans_without_exporter(code: str, environment: dict[str, str], warning: str) -> None:
    done = run(code, **environment)
    assert done.stdout == ""
    assert warning in done.stderr
    assert bool(done.stderr) == bool(warning)
