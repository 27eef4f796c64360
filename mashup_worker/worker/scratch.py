"""Folders of running jobs, and removal of those that killed worker processes left."""

from __future__ import annotations

import os
import re
import shutil
import socket
import tempfile
from pathlib import Path


def scratch_folder(parent: Path | None = None) -> tempfile.TemporaryDirectory[str]:
    """Return a new folder for a job of this process."""
    prefix = f"mashup-job-{socket.gethostname()}-{os.getpid()}-"
    return tempfile.TemporaryDirectory(prefix=prefix, dir=parent, ignore_cleanup_errors=True)


def remove_stale_folders(parent: Path | None) -> None:
    """Remove job folders of dead processes of this machine from the temporary folder or another."""
    pattern = re.compile(rf"mashup-job-{re.escape(socket.gethostname())}-(\d+)-.*")
    parent = parent or Path(tempfile.gettempdir())
    # `glob` raises an error for a missing folder, but only before Python 3.13.
    for folder in parent.glob("mashup-job-*") if parent.is_dir() else ():
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
