"""W3C trace context of requests and jobs, and spans of OpenTelemetry where that is configured.

A `traceparent` comes with a request or in a row. It is logged, stored with new jobs, and sent with
requests to other servers. OpenTelemetry is imported only where its variables ask for spans.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

logger = logging.getLogger(__name__)

HEADER = "traceparent"

_TRACEPARENT = re.compile(
    r"(?P<version>(?!ff)[0-9a-f]{2})-(?P<ids>(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
_VERSION = "00"
_EXPORTER = "OTEL_TRACES_EXPORTER"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_OTLP = "otlp_proto_http"

_request: ContextVar[str | None] = ContextVar("traceparent", default=None)
_job: str | None = None
"""Trace context of the job of the process, not of a thread, since a job has several threads."""


def valid_traceparent(text: str | None) -> str | None:
    """Return a trace context in the form of version 00; None if the text is no trace context."""
    match = _TRACEPARENT.fullmatch(text or "")
    if match is None or (match["version"] == _VERSION and match["more"]):
        return None
    return f"{_VERSION}-{match['ids']}-{match['flags']}"


def current_traceparent() -> str | None:
    """Return the trace context of the current span, request or job; None without one."""
    return _of_span() or _request.get() or _job


def trace_headers() -> dict[str, str]:
    """Return the headers that carry the current trace context to another server."""
    traceparent = current_traceparent()
    return {} if traceparent is None else {HEADER: traceparent}


@contextmanager
def request_trace(traceparent: str | None) -> Iterator[None]:
    """Make a request's trace context the current one of the block."""
    token = _request.set(valid_traceparent(traceparent))
    try:
        yield
    finally:
        _request.reset(token)


@dataclass(frozen=True)
class JobSpan:
    """Span of an attempt at a job; records nothing where OpenTelemetry is not configured."""

    _tracer: Any = None
    _span: Any = None

    def add_stage(self, name: str, start_ns: int, end_ns: int) -> None:
        """Add a span of a stage; times are those of the system's clock since 1970."""
        if self._tracer is not None:
            self._tracer.start_span(name, start_time=start_ns).end(end_ns)

    def set_outcome(self, outcome: str, code: str) -> None:
        """Record how the attempt ended; a code marks an error."""
        if self._span is None:
            return
        from opentelemetry.trace import StatusCode

        self._span.set_attribute("mashup.job.outcome", outcome)
        if code:
            self._span.set_attribute("error.type", code)
            self._span.set_status(StatusCode.ERROR)


@contextmanager
def job_trace(
    name: str, traceparent: str | None, attributes: Mapping[str, str | int]
) -> Iterator[JobSpan]:
    """Trace an attempt at a job: its trace context is that of the process while the block runs.

    Args:
        name: name of the span.
        traceparent: trace context in the job's row.
        attributes: attributes of the span.
    """
    global _job
    parent = valid_traceparent(traceparent)
    try:
        if not _is_configured():
            _job = parent
            yield JobSpan()
            return
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        tracer = trace.get_tracer("mashup_worker")
        with tracer.start_as_current_span(
            name,
            context=TraceContextTextMapPropagator().extract({HEADER: parent} if parent else {}),
            kind=trace.SpanKind.CONSUMER,
            attributes=dict(attributes),
        ) as span:
            _job = _of_span() or parent
            yield JobSpan(tracer, span)
    finally:
        _job = None


def export_spans(service: str) -> None:
    """Send the spans of this process to the exporter that OpenTelemetry's variables name.

    Does nothing if `OTEL_TRACES_EXPORTER` and the endpoints of OTLP are unset, or if another
    program, such as `opentelemetry-instrument`, has configured a provider.

    Args:
        service: name of the service, unless `OTEL_SERVICE_NAME` is set.
    """
    has_endpoint = any(os.environ.get(name) for name in _ENDPOINTS)
    name = os.environ.get(_EXPORTER) or ("otlp" if has_endpoint else "none")
    if name == "none" or _is_configured():
        return
    os.environ.setdefault("OTEL_SERVICE_NAME", service)
    try:
        from importlib.metadata import entry_points

        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        exporters = entry_points(
            group="opentelemetry_traces_exporter", name=_OTLP if name == "otlp" else name
        )
        exporter = next(iter(exporters)).load()()
    except (ImportError, StopIteration):
        logger.warning(
            "%s %s: not installed; run pip install 'mashup-worker[tracing]'", _EXPORTER, name
        )
        return
    provider = TracerProvider()  # sends the last spans when the process exits
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


def _is_configured() -> bool:
    """Return whether a provider of OpenTelemetry receives spans."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return False
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def _of_span() -> str | None:
    """Return the trace context of OpenTelemetry's current span."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        return None
    return f"{_VERSION}-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"
