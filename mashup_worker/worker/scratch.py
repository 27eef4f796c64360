"""Folders of running jobs, and what lanes that were killed left of them."""

from __future__ import annotations

import os
import re
import shutil
import socket
import tempfile
from pathlib import Path


def scratch_prefix(pid: int) -> str:
    """How the folders of a process of this machine begin."""
    return f"mashup-job-{socket.gethostname()}-{pid}-"


def remove_leftovers(home: Path | None) -> None:
    """Remove folders of processes of this machine that are gone.

    Args:
        home: where they lie; the system's folder for temporary files when None.
    """
    pattern = re.compile(rf"mashup-job-{re.escape(socket.gethostname())}-(\d+)-.*")
    for folder in (home or Path(tempfile.gettempdir())).glob("mashup-job-*"):
        match = pattern.fullmatch(folder.name)
        if match and not _runs(int(match[1])):
            shutil.rmtree(folder, ignore_errors=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
