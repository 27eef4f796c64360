"""Metrics of every process: its own memory, processor time and files, and its version."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Gauge,
    ProcessCollector,
    disable_created_metrics,
)

from mashup_worker import __version__


def process_registry() -> CollectorRegistry:
    """A registry with these metrics in it."""
    # It would add a second series to each, which says when it began.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    build = Gauge("mashup_build_info", "The version that runs.", ["version"], registry=registry)
    build.labels(__version__).set(1)
    return registry
