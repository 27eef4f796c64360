"""The packages this one needs."""

from __future__ import annotations

import re
from importlib import metadata
from typing import TYPE_CHECKING

from mashup_worker import __version__
from mashup_worker.doctor.finding import Finding

if TYPE_CHECKING:
    from mashup_worker.settings import Settings

DISTRIBUTION = "mashup-worker"


def check(_settings: Settings) -> Finding:
    """Whether every package asked for is installed."""
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
    missing = []
    for requirement in requirements:
        # What stands behind a marker is for extras or for other versions of Python.
        if ";" in requirement:
            continue
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Finding(
            "packages",
            "error",
            f"not installed: {', '.join(missing)}",
            f"pip install {' '.join(missing)}",
            versions,
        )
    return Finding(
        "packages",
        "ok",
        f"{DISTRIBUTION} {__version__} and {len(versions) - 1} others",
        details=versions,
    )
