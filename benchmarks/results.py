"""Tables of measurements, for the terminal and for the repository."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER = Path(__file__).parent / "results"


def write_table(name: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print the table as Markdown and write it to `benchmarks/results/<name>.md`."""
    lines = [
        f"| {' | '.join(headings)} |",
        f"|{'---|' * len(headings)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
    text = "\n".join([f"`python -m benchmarks.{name}`, {machine()}", "", *lines, ""])
    print(text)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.md").write_text(text, encoding="utf-8")


def machine() -> str:
    """Where and when the figures were taken."""
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {processor()}, "
        f"torch {torch.__version__}"
    )


def processor() -> str:
    """The processor's name, or its architecture where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
