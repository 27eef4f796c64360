"""Atomic writes: a file appears with all of its content, or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from mashup_worker.errors import StorageFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

_TRIES = 10


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`, which replaces `target` when the block succeeds.

    The parent folder is created if needed. If the block raises (Ctrl-C included), the temporary
    file and the created folders are removed, and an existing `target` stays unchanged.

    Yields:
        A path at which no file exists; the block must write a file there.

    Raises:
        StorageFailed: the folder cannot be created, or the file cannot be renamed.
    """
    # A few characters of the name, since file names are limited to 255 bytes.
    temporary = target.with_name(f".{target.name[:40]}.{secrets.token_hex(4)}.part")
    missing = [folder for folder in target.parents if not _exists(folder)]
    try:
        _create_folder(target.parent)
    except OSError as error:
        raise cannot_write(target, error) from error
    try:
        yield temporary
        try:
            temporary.replace(target)
        except OSError as error:
            raise cannot_write(target, error) from error
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()
        raise


@contextmanager
def scratch_beside(target: Path) -> Iterator[Path]:
    """Yield a new hidden folder beside `target`, which is removed after the block.

    Raises:
        StorageFailed: it cannot be created; the message names `target`.
    """
    try:
        folder = tempfile.mkdtemp(dir=target.parent, prefix=".", suffix=".part")
    except OSError as error:
        raise cannot_write(target, error) from error
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def atomic_file(target: Path, *, durable: bool = True, private: bool = False) -> Iterator[BinaryIO]:
    """Yield a new binary file that replaces `target` when the block succeeds.

    Several threads may write the same target, and another thread may remove its empty folder. A
    `durable` file is flushed to the disk before it appears; a `private` one is its owner's only.

    Raises:
        StorageFailed: the file cannot be written; also for an OSError that the block raises.
    """
    with atomic_path(target) as temporary:
        try:
            with _open_new(temporary, 0o600 if private else 0o666) as file:
                yield file
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
        except OSError as error:
            raise cannot_write(target, error) from error


def write_atomically(target: Path, content: bytes, *, private: bool = False) -> None:
    """Write a file atomically; with `private`, readable by its owner only and durable.

    Raises:
        StorageFailed: the file cannot be written.
    """
    with atomic_file(target, durable=private, private=private) as file:
        file.write(content)


def check_writable(target: Path) -> None:
    """Check before the work that `target` can be written.

    Raises:
        StorageFailed: a folder cannot be written or created, or `target` is a folder.
    """
    folder = next(folder for folder in target.absolute().parents if _exists(folder))
    try:
        is_folder = stat.S_ISDIR(target.stat().st_mode)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise cannot_write(target, error) from error
        is_folder = False
    if is_folder:
        reason = errno.EISDIR
    elif not folder.is_dir():
        reason = errno.ENOTDIR
    elif not os.access(folder, os.W_OK | os.X_OK):
        reason = errno.EACCES
    else:
        return
    raise cannot_write(target, OSError(reason, os.strerror(reason)))


def cannot_write(target: Path, error: OSError) -> StorageFailed:
    """Return the error for a file that could not be written, with its name and the reason."""
    return StorageFailed(f"{target}: cannot be written: {error.strerror or error}")


def _create_folder(folder: Path) -> None:
    """Create a folder with its parents, while other threads may remove those that are empty."""
    for _ in range(_TRIES):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, FileNotFoundError) as error:
            # `mkdir` raises FileExistsError also for a folder that was removed just after.
            if folder.exists() and not folder.is_dir():
                raise
            lost = error
        else:
            return
    raise lost


def _open_new(path: Path, mode: int) -> BinaryIO:
    """Create a file, and its folder again where another thread removed the empty folder."""
    for _ in range(_TRIES):
        try:
            _create_folder(path.parent)
            return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb")
        except FileNotFoundError as error:
            lost = error
    raise lost


def _exists(folder: Path) -> bool:
    """Return whether a path exists; False for names that are too long, unlike `Path.exists`."""
    return os.path.exists(folder)  # noqa: PTH110
