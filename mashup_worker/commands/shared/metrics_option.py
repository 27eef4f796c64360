"""Option of the commands that serve metrics."""

from __future__ import annotations

from typing import Annotated

import typer

MetricsAddress = Annotated[
    str | None,
    typer.Option(
        "--metrics",
        metavar="HOST:PORT",
        help="Address of /livez, /readyz and /metrics. [MASHUP_METRICS_ADDRESS]",
    ),
]
