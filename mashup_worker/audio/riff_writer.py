"""Chunks that are appended to complete WAV files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import BinaryIO

_SIZE_LIMIT = (1 << 32) - 1


def chunk(name: bytes, data: bytes) -> bytes:
    """Return a chunk of RIFF: a name of four letters, size, data, padded to an even size."""
    return name + len(data).to_bytes(4, "little") + data + bytes(len(data) % 2)


def append_chunks(file: BinaryIO, chunks: Iterable[bytes]) -> None:
    """Append chunks to a WAV file that is open for reading and writing; none if it is full."""
    end = file.seek(0, os.SEEK_END)
    data = bytes(end % 2) + b"".join(chunks)
    size = end + len(data) - 8
    if size > _SIZE_LIMIT:
        return  # the sound fills the file
    file.write(data)
    file.seek(4)
    file.write(size.to_bytes(4, "little"))
