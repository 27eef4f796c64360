"""The chunks of a WAV file, as far as libsndfile says nothing about them.

Source: Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0", 1991.
"""

from __future__ import annotations

import os

_HEADER_BYTES = 12
"""`RIFF`, a size, and `WAVE`."""

_CHUNK_HEADER_BYTES = 8
"""A name of four characters and a size."""


def bytes_behind_chunks(descriptor: int) -> int:
    """Bytes at the end of the file that follow its sound and belong to no chunk.

    0 where the file is not RIFF, or where a chunk reaches to the end of the file or beyond it.
    """
    file_bytes = os.fstat(descriptor).st_size
    if os.pread(descriptor, 4, 0) != b"RIFF":
        return 0
    position, sound_seen = _HEADER_BYTES, False
    while position + _CHUNK_HEADER_BYTES <= file_bytes:
        header = os.pread(descriptor, _CHUNK_HEADER_BYTES, position)
        name, size = header[:4], int.from_bytes(header[4:], "little")
        end = position + _CHUNK_HEADER_BYTES + size + size % 2
        is_chunk = name.isascii() and name.decode("ascii").isprintable() and end <= file_bytes + 1
        if not is_chunk:
            break
        sound_seen |= name == b"data"
        position = end
    return max(0, file_bytes - position) if sound_seen else 0
