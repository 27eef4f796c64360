"""Measurements of a mashup as a table for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def measurement_table(title: str, measurements: Sequence[Mapping[str, Any]]) -> Table:
    """Return the judged measurements of a mashup report in JSON, with their limits."""
    out = Table(title=title, title_justify="left")
    out.add_column("")
    out.add_column("measurement")
    out.add_column("value", justify="right", no_wrap=True)
    out.add_column("wanted", no_wrap=True)
    for one in measurements:
        if one["passed"] is not None:
            out.add_row("✓" if one["passed"] else "✗", one["name"], _value(one), one["wanted"])
    return out


def _value(measurement: Mapping[str, Any]) -> str:
    value, unit = measurement["value"], measurement["unit"]
    if value is None:  # JSON has no -inf
        return f"-inf {unit}"
    return f"{value:.2f} {unit}" if isinstance(value, float) else str(value)
