"""Folders of running jobs, and removal of those that killed worker processes left."""

from __future__ import annotations

import os
import re
import shutil
import socket
import tempfile
from pathlib import Path


def scratch_prefix(pid: int) -> str:
    """Return the prefix of folder names of a process on this machine."""
    return f"mashup-job-{socket.gethostname()}-{pid}-"


def remove_stale_folders(parent: Path | None) -> None:
    """Remove job folders of processes on this machine that no longer exist.

    Args:
        parent: folder that contains them; None for the system's temporary folder.
    """
    pattern = re.compile(rf"mashup-job-{re.escape(socket.gethostname())}-(\d+)-.*")
    for folder in (parent or Path(tempfile.gettempdir())).glob("mashup-job-*"):
        match = pattern.fullmatch(folder.name)
        if match and not _exists(int(match[1])):
            shutil.rmtree(folder, ignore_errors=True)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
