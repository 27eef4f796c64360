"""Metrics of the HTTP API."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram

from mashup_worker.monitoring.server import process_registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_OTHER = "other"


@dataclass
class ApiMetrics:
    """Metrics and health of an API process. Implements `HealthSource`.

    `check` raises if requests can't be served, since Postgres is unreachable.
    """

    check: Callable[[], object] = lambda: None
    registry: CollectorRegistry = field(default_factory=process_registry)

    def __post_init__(self) -> None:
        labels = ["method", "route"]
        self._requests = Counter(
            "mashup_api_requests",
            "Answered requests; 499 stands for clients that left before the answer.",
            [*labels, "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "mashup_api_request_seconds",
            "Duration of requests until the end of the answer, without event streams.",
            labels,
            buckets=_SECONDS,
            registry=self.registry,
        )
        gauge = partial(Gauge, registry=self.registry)
        self._streams = gauge("mashup_api_event_streams", "Open event streams.")

    def answered(self, method: str, route: str | None, status: int, seconds: float | None) -> None:
        """Count a request; without a duration it was an event stream."""
        # Clients may send any method and path.
        labels = (method if method in _METHODS else _OTHER, route or _OTHER)
        self._requests.labels(*labels, status).inc()
        if seconds is not None:
            self._seconds.labels(*labels).observe(seconds)

    def stream_opened(self) -> None:
        """Count an event stream that begins."""
        self._streams.inc()

    def stream_closed(self) -> None:
        """Count an event stream that ended."""
        self._streams.dec()

    def not_alive(self) -> str | None:
        """Return None: the process answers."""
        return None

    def not_ready(self) -> str | None:
        """Return the reason why requests can't be served; None if they can."""
        try:
            self.check()
        except Exception:
            return "waits for Postgres"
        return None
