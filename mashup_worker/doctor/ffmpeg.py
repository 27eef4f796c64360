"""ffmpeg, which reads what the package itself does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mashup_worker.doctor.finding import Finding
from mashup_worker.doctor.run import first_line

if TYPE_CHECKING:
    from mashup_worker.settings import Settings

REMEDY = "install ffmpeg (apt install ffmpeg, brew install ffmpeg) to read M4A, AAC and WebM"


def check(_settings: Settings) -> Finding:
    """Whether ffmpeg and ffprobe are there and run."""
    versions = {name: first_line(name, "-version") for name in ("ffmpeg", "ffprobe")}
    for name, version in versions.items():
        if not version:
            state = "not found" if version is None else "does not run"
            return Finding(
                "ffmpeg",
                "note",
                f"{name} {state}; M4A, AAC and WebM can't be read",
                REMEDY,
                versions,
            )
    words = str(versions["ffmpeg"]).split()
    return Finding("ffmpeg", "ok", " ".join(words[:3]), details=versions)
