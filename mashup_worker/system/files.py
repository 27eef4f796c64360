"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from mashup_worker.errors import StorageFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """A temporary name beside `target` that becomes `target` when the block ends well.

    The folder is made if it isn't there. When the block raises, Ctrl-C included, the temporary
    file and folders made for it are removed, and a file already at `target` stays as it was.

    Yields:
        A path at which nothing exists yet; the block must write a file there.

    Raises:
        StorageFailed: the folder can't be made, or the file can't be renamed.
    """
    # Few characters of the name, since the whole may have 255 bytes.
    temporary = target.with_name(f".{target.name[:40]}.{secrets.token_hex(4)}.part")
    missing = [folder for folder in target.parents if not _exists(folder)]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(target, error) from error
    try:
        yield temporary
        try:
            temporary.replace(target)
        except OSError as error:
            raise cannot_write(target, error) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()
        raise


def write_whole(target: Path, content: bytes) -> None:
    """Write a file that holds what it held before or all of `content`, and nothing between.

    Raises:
        StorageFailed: the file can't be written.
    """
    with atomic_path(target) as temporary:
        try:
            temporary.write_bytes(content)
        except OSError as error:
            raise cannot_write(target, error) from error


def check_writable(target: Path) -> None:
    """Make sure, before the work that fills it, that `target` could be written.

    Raises:
        StorageFailed: a folder can't be written or made, or a folder is in the way.
    """
    there = next(folder for folder in target.absolute().parents if _exists(folder))
    try:
        is_folder = stat.S_ISDIR(target.stat().st_mode)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise cannot_write(target, error) from error
        is_folder = False
    if is_folder:
        reason = errno.EISDIR
    elif not there.is_dir():
        reason = errno.ENOTDIR
    elif not os.access(there, os.W_OK | os.X_OK):
        reason = errno.EACCES
    else:
        return
    raise cannot_write(target, OSError(reason, os.strerror(reason)))


def _exists(folder: Path) -> bool:
    """Unlike `Path.exists`, says no of names that are too long."""
    return os.path.exists(folder)  # noqa: PTH110


def cannot_write(target: Path, error: OSError) -> StorageFailed:
    """The error for a file that could not be written, naming it and the reason."""
    return StorageFailed(f"can't write {target}: {error.strerror or error}")
