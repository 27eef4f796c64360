"""The option of commands that can be watched."""

from __future__ import annotations

from typing import Annotated

import typer

MetricsAddress = Annotated[
    str | None,
    typer.Option(
        "--metrics",
        metavar="HOST:PORT",
        help="Answer /livez, /readyz and /metrics there; else where MASHUP_METRICS_ADDRESS says.",
    ),
]
