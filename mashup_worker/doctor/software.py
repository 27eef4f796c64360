"""Checks of the interpreter, of installed packages, and of the programs ffmpeg and Rubber Band."""

from __future__ import annotations

import platform
import shlex
import shutil
import subprocess
import sys
from importlib import metadata
from typing import TYPE_CHECKING

from mashup_worker import __version__
from mashup_worker.doctor.finding import Finding

if TYPE_CHECKING:
    from mashup_worker.settings import Settings

_TIMEOUT_S = 10.0
_FFMPEG_REMEDY = "install ffmpeg (apt install ffmpeg, brew install ffmpeg)"
_RUBBERBAND_REMEDY = "install Rubber Band (apt install rubberband-cli, brew install rubberband)"

DISTRIBUTION = "mashup-worker"


def check_python(_settings: Settings) -> Finding:
    """Report the version of Python and the platform."""
    details = {
        "version": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
    }
    message = f"{details['version']} on {platform.system()} {platform.machine()}"
    return Finding("python", "ok", message, details=details)


def check_packages(_settings: Settings) -> Finding:
    """Report required packages that are missing or have the wrong version."""
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return Finding("packages", "error", "not installed: packaging", _remedy(["packaging"]))
    try:
        requirements = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        message = f"{DISTRIBUTION} runs without being installed"
        return Finding("packages", "warning", message, f"pip install {DISTRIBUTION}")
    versions = {DISTRIBUTION: __version__}
    missing, mismatched = [], []
    for requirement in map(Requirement, requirements):
        # Some are for extras or for other versions of Python.
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        wanted = f"{requirement.name}{requirement.specifier}"
        try:
            version = versions[requirement.name] = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            missing.append(wanted)
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            mismatched.append((wanted, version))
    if missing:
        message = f"not installed: {', '.join(missing)}"
        return Finding("packages", "error", message, _remedy(missing), versions)
    if mismatched:
        found = ", ".join(f"{version} for {wanted}" for wanted, version in mismatched)
        remedy = _remedy([wanted for wanted, _ in mismatched])
        return Finding("packages", "warning", f"wrong versions: {found}", remedy, versions)
    message = f"{DISTRIBUTION} {__version__} and {len(versions) - 1} others"
    return Finding("packages", "ok", message, details=versions)


def _remedy(requirements: list[str]) -> str:
    return f"pip install {' '.join(map(shlex.quote, requirements))}"


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
