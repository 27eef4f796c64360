"""`mashup api`: serves the HTTP API."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from mashup_worker.commands.shared.failure import fail, service_settings_or_fail
from mashup_worker.commands.shared.options import MetricsAddress, StopWithParent

logger = logging.getLogger(__name__)


def api(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0 for a free one.")] = 8_080,
    certificate: Annotated[
        Path | None, typer.Option("--tls-certificate", help="PEM file of a TLS certificate.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--tls-key", help="PEM file of the certificate's key.")
    ] = None,
    metrics: MetricsAddress = None,
    stop_with_parent: StopWithParent = False,
) -> None:
    """Serve the HTTP API until Ctrl-C.

    Prints a line that starts with "ready" once it accepts requests. Needs the extra `api`: pip
    install 'mashup-worker[api]'.
    """
    from mashup_worker.api.context import open_context
    from mashup_worker.api.serve import serve
    from mashup_worker.api.studio.libraries import COMMAND, are_complete
    from mashup_worker.logs import log_to_stderr
    from mashup_worker.monitoring.api_metrics import ApiMetrics
    from mashup_worker.monitoring.server import serve_metrics
    from mashup_worker.system.child_guard import stop_with_parent as start_parent_watch
    from mashup_worker.tracing import export_spans

    if (certificate is None) != (key is None):
        fail("--tls-certificate and --tls-key: give both or none")
    settings = service_settings_or_fail()
    log_to_stderr(settings.monitoring.log_format)
    export_spans("mashup-api")
    context = open_context(settings)
    if not are_complete():
        logger.warning("studio: its JavaScript libraries are missing; run: %s", COMMAND)
    if stop_with_parent:
        start_parent_watch()
    counted = ApiMetrics(context.check)
    with serve_metrics(metrics or settings.monitoring.metrics_address, counted):
        serve(
            context,
            host=host,
            port=port,
            on_ready=_print_ready,
            certificate=certificate,
            key=key,
            metrics=counted,
        )


def _print_ready(address: str) -> None:
    typer.echo(f"ready: {address}")
    sys.stdout.flush()
