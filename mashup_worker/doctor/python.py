"""The interpreter."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING

from mashup_worker.doctor.finding import Finding

if TYPE_CHECKING:
    from mashup_worker.settings import Settings


def check(_settings: Settings) -> Finding:
    """Which Python runs, and on what."""
    details = {
        "version": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
    }
    return Finding(
        "python",
        "ok",
        f"{details['version']} on {platform.system()} {platform.machine()}",
        details=details,
    )
