"""Checks of the optional programs: ffmpeg and Rubber Band."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from mashup_worker.doctor.finding import Finding

if TYPE_CHECKING:
    from mashup_worker.settings import Settings

_TIMEOUT_S = 10.0
_FFMPEG_REMEDY = "install ffmpeg (apt install ffmpeg, brew install ffmpeg)"
_RUBBERBAND_REMEDY = "install Rubber Band (apt install rubberband-cli, brew install rubberband)"


def check_ffmpeg(_settings: Settings) -> Finding:
    """Report the version of ffmpeg, and whether ffprobe runs."""
    versions = {name: version_line(name, "-version") for name in ("ffmpeg", "ffprobe")}
    for name, version in versions.items():
        if not version:
            state = "not found" if version is None else "does not run"
            message = f"{name} {state}; M4A, AAC and WebM cannot be decoded"
            return Finding("ffmpeg", "note", message, _FFMPEG_REMEDY, versions)
    words = str(versions["ffmpeg"]).split()
    return Finding("ffmpeg", "ok", " ".join(words[:3]), details=versions)


def check_rubberband(_settings: Settings) -> Finding:
    """Report the version of Rubber Band's command, an optional time-stretching engine."""
    version = version_line("rubberband", "--version")
    if not version:
        state = "not found" if version is None else "does not run"
        message = f"{state}; separation does not need it"
        return Finding("rubberband", "note", message, _RUBBERBAND_REMEDY)
    return Finding("rubberband", "ok", f"version {version}", details={"version": version})


def version_line(program: str, *arguments: str) -> str | None:
    """Return the first line that a program prints: "" if it fails, None if it is not installed."""
    path = shutil.which(program)
    if path is None:
        return None
    try:
        done = subprocess.run(
            [path, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return (done.stdout or done.stderr).strip().partition("\n")[0]
