"""Asking other programs for their version."""

from __future__ import annotations

import shutil
import subprocess

PATIENCE_S = 10.0


def first_line(program: str, *arguments: str) -> str | None:
    """First line that the program prints, "" when it fails, None when it is not on the path."""
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
            timeout=PATIENCE_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return (done.stdout or done.stderr).strip().partition("\n")[0]
