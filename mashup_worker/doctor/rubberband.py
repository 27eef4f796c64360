"""Rubber Band's command, an optional time-stretcher."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mashup_worker.doctor.finding import Finding
from mashup_worker.doctor.run import first_line

if TYPE_CHECKING:
    from mashup_worker.settings import Settings

REMEDY = "install it (apt install rubberband-cli, brew install rubberband) if songs get stretched"


def check(_settings: Settings) -> Finding:
    """Whether the command is there and runs."""
    version = first_line("rubberband", "--version")
    if not version:
        state = "not found" if version is None else "does not run"
        return Finding("rubberband", "note", f"{state}; separation does not need it", REMEDY)
    return Finding("rubberband", "ok", f"version {version}", details={"version": version})
