"""Checks of the interpreter and of the installed packages."""

from __future__ import annotations

import platform
import shlex
import sys
from importlib import metadata
from typing import TYPE_CHECKING

from mashup_worker import __version__
from mashup_worker.doctor.finding import Finding

if TYPE_CHECKING:
    from mashup_worker.settings import Settings

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
