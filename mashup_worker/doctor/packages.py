"""The packages this one needs."""

from __future__ import annotations

import shlex
from importlib import metadata
from typing import TYPE_CHECKING

from mashup_worker import __version__
from mashup_worker.doctor.finding import Finding

if TYPE_CHECKING:
    from mashup_worker.settings import Settings

DISTRIBUTION = "mashup-worker"


def check(_settings: Settings) -> Finding:
    """Whether every package asked for is installed, in a version that fits."""
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return Finding("packages", "error", "not installed: packaging", _remedy(["packaging"]))
    try:
        requirements = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return Finding(
            "packages",
            "warning",
            f"{DISTRIBUTION} runs without being installed",
            "install it with pip, so that its packages come along",
        )
    versions = {DISTRIBUTION: __version__}
    missing, misfits = [], []
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
            misfits.append((wanted, version))
    if missing:
        return Finding(
            "packages",
            "error",
            f"not installed: {', '.join(missing)}",
            _remedy(missing),
            versions,
        )
    if misfits:
        found = ", ".join(f"{version} for {wanted}" for wanted, version in misfits)
        return Finding(
            "packages",
            "warning",
            f"other versions than asked for: {found}",
            _remedy([wanted for wanted, _ in misfits]),
            versions,
        )
    return Finding(
        "packages",
        "ok",
        f"{DISTRIBUTION} {__version__} and {len(versions) - 1} others",
        details=versions,
    )


def _remedy(requirements: list[str]) -> str:
    return f"pip install {' '.join(map(shlex.quote, requirements))}"
