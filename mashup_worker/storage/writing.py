"""Files that appear whole, on the disk, or not at all."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, BinaryIO

from mashup_worker.errors import StorageFailed, TooLarge

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_BLOCK_BYTES = 1 << 20
_TRIES = 10


def write_capped(
    read: Callable[[int], bytes], target: Path, name: str, max_bytes: int | None = None
) -> int:
    """Write what `read` gives into a file; several threads may write the same one.

    The folder is made if it isn't there. A file already at `target` stays until the new one is
    whole, and on the disk.

    Args:
        read: gives so many bytes at most, and none at the end. Its errors pass through and end the
            writing, so they must not be an OSError, which would be taken for the disk's.
        target: the file.
        name: what messages call the bytes.
        max_bytes: what the file may hold at most.

    Returns:
        Its size in bytes.

    Raises:
        TooLarge: there is more than `max_bytes`.
        StorageFailed: the file can't be written.
    """
    # Few characters of the name, since the whole may have 255 bytes.
    partial = target.with_name(f".{target.name[:40]}.{secrets.token_hex(4)}.part")
    size = 0
    try:
        with _open_new(partial) as file:
            while block := read(_BLOCK_BYTES):
                size += len(block)
                if max_bytes is not None and size > max_bytes:
                    raise too_large(name, max_bytes)
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except OSError as error:
        raise StorageFailed(f"can't write {target}: {error.strerror or error}") from error
    finally:
        _remove(partial)
    return size


def too_large(name: str, max_bytes: int) -> TooLarge:
    """The error of bytes over the limit."""
    return TooLarge(f"{name}: more than {max_bytes / 1e6:.3g} MB")


def _open_new(partial: Path) -> BinaryIO:
    """Open a file in a folder that another thread may be removing, because it was empty."""
    for _ in range(_TRIES):
        try:
            partial.parent.mkdir(parents=True, exist_ok=True)
            return partial.open("xb")
        except (FileNotFoundError, FileExistsError) as error:
            lost = error
    raise lost


def _remove(partial: Path) -> None:
    try:
        partial.unlink()
    except OSError:
        return
