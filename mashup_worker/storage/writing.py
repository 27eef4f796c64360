"""Atomic writes of streams with a size limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mashup_worker.errors import TooLarge
from mashup_worker.system.files import atomic_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_BLOCK_BYTES = 1 << 20


def write_capped(
    read: Callable[[int], bytes], target: Path, *, name: str, max_bytes: int | None = None
) -> None:
    """Write a stream to a file atomically; several threads may write the same file.

    `read` returns up to the given number of bytes, and none at the end. Its errors abort the write.
    They must not be an OSError, which counts as an error of `target`. Messages call the stream by
    its `name`.

    Raises:
        TooLarge: the stream is longer than `max_bytes`.
        StorageFailed: the file cannot be written.
    """
    size = 0
    with atomic_file(target) as file:
        while block := read(_BLOCK_BYTES):
            size += len(block)
            if max_bytes is not None and size > max_bytes:
                raise too_large(name, max_bytes)
            file.write(block)


def too_large(name: str, max_bytes: int) -> TooLarge:
    """Return the error for a stream longer than the limit."""
    return TooLarge(f"{name}: larger than the limit of {max_bytes / 1e6:.3g} MB")
