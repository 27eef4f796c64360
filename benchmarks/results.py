"""Tables of measurements, for the terminal and for the repository."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FOLDER = Path(__file__).parent / "results"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def publish(
    name: str, *parts: str, device: torch.device | None = None, file: str | None = None
) -> None:
    """Print the parts and write them to `benchmarks/results/<file>.md`, with what made them.

    Args:
        name: of the benchmark's module.
        parts: paragraphs and tables.
        device: where the work ran, if not on the CPU.
        file: stem of the file's name; `name` when None.
    """
    command = " ".join(["python -m", f"benchmarks.{name}", *sys.argv[1:]])
    text = "\n\n".join([f"`{command}`, {machine(device)}", *parts]) + "\n"
    print(text)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{file or name}.md").write_text(text, encoding="utf-8")


def machine(device: torch.device | None = None) -> str:
    """Return where and when the figures were taken."""
    gpu = ""
    if device is not None and device.type == "cuda":
        gpu = f"{torch.cuda.get_device_properties(device).name}, "
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {gpu}{os.cpu_count()} cores, {processor()}, "
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
