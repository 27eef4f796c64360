"""Metrics of every process: memory, processor time, open files and version."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector, disable_created_metrics

from mashup_worker import __version__


def process_registry() -> CollectorRegistry:
    """Return a new registry with the metrics of this process."""
    # Otherwise each counter gets a second series with its creation time.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    build = Gauge("mashup_build_info", "Running version.", ["version"], registry=registry)
    build.labels(__version__).set(1)
    return registry
