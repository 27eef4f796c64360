"""Reading of files by position, for decoders that see only a part of a file, or other bytes."""

from __future__ import annotations

import os
from typing import Any

_WINDOW_BYTES = 1 << 14


class BufferedReader:
    """Reader of a file descriptor by position, which keeps the bytes around the last position.

    Attributes:
        size: size of the file in bytes.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._window, self._start = b"", 0
        self.size = os.fstat(descriptor).st_size

    def read(self, position: int, count: int) -> bytes:
        """Return `count` bytes from `position` on, or fewer at the end of the file."""
        at = position - self._start
        if not 0 <= at <= at + count <= len(self._window):
            self._window = os.pread(self._descriptor, max(count, _WINDOW_BYTES), position)
            self._start, at = position, 0
        return self._window[at : at + count]


class FileSlice:
    """Part of a file, after other bytes, as the binary file that libsndfile reads.

    Args:
        descriptor: open file.
        start, stop: part of it in bytes.
        head: bytes that precede the part.

    Attributes:
        error: error of the disk; libsndfile sees the end of the file instead.
    """

    def __init__(self, descriptor: int, start: int, stop: int, head: bytes = b"") -> None:
        self._descriptor = descriptor
        self._start, self._head = start - len(head), head
        self._size = len(head) + stop - start
        self._position = 0
        self.error: OSError | None = None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to an offset, and return the position."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with the next bytes, and return their number."""
        target = memoryview(buffer).cast("B")
        position, head = self._position, self._head
        if 0 <= position < len(head):
            data = head[position : position + len(target)]
        else:
            wanted = max(0, min(len(target), self._size - position))
            try:
                data = os.pread(self._descriptor, wanted, max(0, self._start + position))
            except OSError as error:
                self.error, data = error, b""
        target[: len(data)] = data
        self._position += len(data)
        return len(data)
