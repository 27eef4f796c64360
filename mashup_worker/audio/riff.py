"""Detection of audio behind the chunks of a WAV file, which libsndfile does not report.

Source: Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0", 1991.
"""

from __future__ import annotations

import os

_HEADER_BYTES = 12
"""`RIFF`, a size, and `WAVE`."""

_CHUNK_HEADER_BYTES = 8
"""A name of four characters and a size."""


def bytes_behind_chunks(descriptor: int) -> int:
    """Return the number of bytes after the audio that belong to no chunk.

    The result is 0 if the file is not RIFF, or if a chunk reaches or passes the end of the file.
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
