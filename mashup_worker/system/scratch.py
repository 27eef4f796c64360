"""Folders for files of one process, which vanish with it."""

from __future__ import annotations

import fcntl
import logging
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from mashup_worker.errors import MashupError, StorageFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

logger = logging.getLogger(__name__)

_LOCK = "lock"


class Scratch:
    """Folder of this process, created by its first use.

    A lock on a file in it, which the system frees when the process ends in any way, distinguishes
    the folders of running processes from those that killed ones left.

    Args:
        prefix: start of the folder's name.
        parent: folder around it; the system's temporary folder when None.
    """

    def __init__(self, prefix: str, parent: Path | None = None) -> None:
        self._prefix, self._parent = prefix, parent
        self._created = Lock()
        self._folder: Path | None = None

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """Yield a new folder that is removed at the end of the block.

        Raises:
            StorageFailed: it cannot be created.
        """
        try:
            with self._created:
                if self._folder is None:
                    self._folder = self._new()
            made = Path(tempfile.mkdtemp(dir=self._folder))
        except OSError as error:
            place = self._parent or "temporary folder"
            raise StorageFailed(f"{place}: cannot be written: {error.strerror or error}") from error
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def remove_stale(self, before: Callable[[Path], None] = lambda _folder: None) -> None:
        """Remove the folders that killed processes left.

        `before` is called with each folder; one for which it raises a `MashupError` stays.
        """
        parent = self._parent or Path(tempfile.gettempdir())
        # `glob` raises an error for a missing folder, but only before Python 3.13.
        for folder in parent.glob(f"{self._prefix}*") if parent.is_dir() else ():
            try:
                with (folder / _LOCK).open() as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    before(folder)
                    shutil.rmtree(folder, ignore_errors=True)
            except OSError:  # in use, of another user, or removed by another process
                continue
            except MashupError as error:
                logger.warning("%s: not removed: %s", folder, error)

    def close(self) -> None:
        """Remove the folder."""
        with self._created:
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
                self._lock.close()
                self._folder = None

    def _new(self) -> Path:
        """Return a new folder with a locked file."""
        # Under another name until it is locked, since it would count as left by a killed process.
        made = Path(tempfile.mkdtemp(prefix=f".{self._prefix}", dir=self._parent))
        self._lock = (made / _LOCK).open("x")
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return made.rename(made.with_name(made.name.removeprefix(".")))
