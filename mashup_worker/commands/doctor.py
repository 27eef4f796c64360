"""`mashup doctor`: check the environment."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING

import typer

from mashup_worker.commands.shared.failure import settings_or_fail
from mashup_worker.commands.shared.options import AsJson
from mashup_worker.errors import EXIT_ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.doctor.finding import Finding

COLORS = {"ok": "green", "note": "cyan", "warning": "yellow", "error": "red"}


def doctor(as_json: AsJson = False) -> None:
    """Check Python, torch, GPU, memory, programs and services.

    Services are checked if the environment names them.
    """
    from mashup_worker.doctor.checks import run_checks

    findings = run_checks(settings_or_fail())
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
    elif sys.stdout.isatty():
        _print_table(findings)
    else:
        for finding in findings:
            remedy = f" -> {finding.remedy}" if finding.remedy else ""
            typer.echo(f"{finding.severity:8}{finding.check:12}{finding.message}{remedy}")
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(EXIT_ENVIRONMENT)


def _print_table(findings: Sequence[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("check", "", "result", "remedy")
    for finding in findings:
        table.add_row(
            finding.check,
            Text(finding.severity, style=COLORS[finding.severity]),
            Text(finding.message),
            Text(finding.remedy or ""),
        )
    Console().print(table)
