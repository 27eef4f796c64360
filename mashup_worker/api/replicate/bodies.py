"""JSON bodies with a whole song as a data URL, read without holding the song in memory."""

from __future__ import annotations

import binascii
import json
import re
from hashlib import sha256
from mimetypes import guess_extension
from typing import TYPE_CHECKING, Any

from mashup_worker.api.forms import FormFile, safe_name
from mashup_worker.audio.formats import audio_suffix
from mashup_worker.errors import InvalidInput, TooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Self

_PREFIX = b"data:"
_MAX_HEADER_BYTES = 256
_MAX_JSON_BYTES = 262_144
"""Longest body without the data URL, as long as the longest `input_data`."""

_PLACEHOLDER = "data:#"
"""Data URL in the document in place of the real one."""

_ESCAPE = re.compile(rb"\\(?:u00([0-9A-Fa-f]{2})|([^u]))")
_OPEN_ESCAPE = re.compile(rb"\\(?:u[0-9A-Fa-f]{0,3})?\Z")
_LINE_BREAKS = b"\r\n\t "
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_SUFFIXES = {"audio/mp3": ".mp3", "audio/wav": ".wav", "audio/flac": ".flac", "audio/mp4": ".m4a"}
_MEDIA_TYPE = re.compile(r"[\w.+-]{1,64}/[\w.+-]{1,64}")


class JsonBody:
    """Parser of a JSON body, at most one string of which is a data URL.

    Feed it with `feed`, then call `document`. Use as a context, which closes the file at its end.

    Attributes:
        file: content of the data URL, once `document` was called; None for a body without one.
    """

    def __init__(self, path: Path, max_file_bytes: int) -> None:
        """Write the content of the data URL to a new file at `path`."""
        self.file: FormFile | None = None
        self._path, self._max_file_bytes = path, max_file_bytes
        self._json = bytearray()
        self._string: bytes | None = None  # start of a string, while it may be a data URL
        self._in_string = False
        self._escaped = False
        self._data: _DataUrl | None = None
        self._in_data = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._data is not None:
            self._data.close()

    def feed(self, block: bytes) -> None:
        """Take the next bytes of the body.

        Raises:
            TooLarge: the file, or the rest of the body, is too long.
            InvalidInput: the data URL is damaged, or is the second one.
        """
        while block:
            if self._in_data:
                block = self._feed_data(block)
            elif self._string is not None:
                block = self._feed_start(block)
            elif self._in_string:
                block = self._feed_string(block)
            else:
                outside, quote, block = block.partition(b'"')
                self._keep(outside + quote)
                self._string = b"" if quote else None
        if len(self._json) > _MAX_JSON_BYTES:
            raise TooLarge(f"request: more than {_MAX_JSON_BYTES} bytes beside the data URL")

    def document(self) -> Any:
        """Return the document, in which `is_file` recognizes the data URL.

        Raises:
            InvalidInput: the body is no JSON.
        """
        try:
            found = json.loads(self._json)
            json.dumps(found, ensure_ascii=False).encode()  # refuses halves of letters
        except (ValueError, RecursionError):
            raise InvalidInput("request: not valid JSON") from None
        if self._data is not None:
            self.file = self._data.received()
        return found

    def is_file(self, text: str) -> bool:
        """Return whether a string of the document stands for the data URL."""
        return self._data is not None and text == _PLACEHOLDER

    def _keep(self, part: bytes) -> None:
        self._json += part

    def _feed_start(self, block: bytes) -> bytes:
        """Decide whether a string is a data URL, by its first letters."""
        assert self._string is not None  # noqa: S101 - by the caller
        missing = len(_PREFIX) - len(self._string)
        self._string += block[:missing]
        if self._string == _PREFIX:
            if self._data is not None:
                raise InvalidInput("request: more than one data URL; send one song")
            self._data = _DataUrl(self._path, self._max_file_bytes)
            self._in_data, self._string = True, None
            return block[missing:]
        if not _PREFIX.startswith(self._string):
            start, self._string, self._in_string = self._string, None, True
            return start + block[missing:]
        return block[missing:]

    def _feed_string(self, block: bytes) -> bytes:
        position = 0
        while position < len(block):
            if self._escaped:
                self._escaped = False
                position += 1
                continue
            end, escape = block.find(b'"', position), block.find(b"\\", position)
            if escape != -1 and (end == -1 or escape < end):
                self._escaped = True
                position = escape + 1
                continue
            if end == -1:
                break
            self._in_string = False
            self._keep(block[: end + 1])
            return block[end + 1 :]
        self._keep(block)
        return b""

    def _feed_data(self, block: bytes) -> bytes:
        assert self._data is not None  # noqa: S101 - by the caller
        part, quote, rest = block.partition(b'"')
        self._data.feed(part)
        if quote:
            self._data.end()
            self._in_data = False
            self._keep(f'{_PLACEHOLDER}"'.encode())
        return rest


class _DataUrl:
    """Decoder of the part of a data URL behind `data:`, as it stands in JSON."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._path, self._max_bytes = path, max_bytes
        self._content = path.open("xb")
        self._digest = sha256()
        self._size = 0
        self._open_escape = b""
        self._header: bytes | None = b""
        self._content_type = ""
        self._base64 = b""
        self._padded = False

    def feed(self, part: bytes) -> None:
        """Take more letters of the URL."""
        for plain in self._without_escapes(part):
            if self._header is None:
                self._decode(plain)
                continue
            header, comma, data = (self._header + plain).partition(b",")
            self._header = header
            if comma:
                self._read_header(header)
                self._decode(data)
            elif len(header) > _MAX_HEADER_BYTES:
                raise _damaged()

    def end(self) -> None:
        """Take the end of the URL."""
        if self._header is not None or self._open_escape:
            raise _damaged()
        self._write(self._base64 + b"=" * (-len(self._base64) % 4))
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._content.close()

    def received(self) -> FormFile:
        """Return the decoded file; its media type decides the suffix of its name."""
        suffix = _SUFFIXES.get(self._content_type) or guess_extension(self._content_type) or ""
        return FormFile(
            path=self._path,
            name=safe_name(f"audio{audio_suffix(f'audio{suffix}')}"),
            bytes=self._size,
            sha256=self._digest.hexdigest(),
        )

    def _without_escapes(self, part: bytes) -> Iterator[bytes]:
        part = self._open_escape + part
        self._open_escape = b""
        if b"\\" not in part:
            yield part
            return
        tail = _OPEN_ESCAPE.search(part)
        if tail is not None:
            part, self._open_escape = part[: tail.start()], tail[0]
        yield _ESCAPE.sub(
            lambda found: (
                bytes.fromhex(found[1].decode()) if found[1] else _ESCAPED.get(found[2], found[2])
            ),
            part,
        )

    def _read_header(self, header: bytes) -> None:
        media_type, *parameters = header.decode("ascii", "replace").lower().split(";")
        if "base64" not in [one.strip() for one in parameters]:
            raise InvalidInput("data URL: not in base64; encode it as data:<type>;base64,…")
        if _MEDIA_TYPE.fullmatch(media_type):
            self._content_type = media_type
        self._header = None

    def _decode(self, letters: bytes) -> None:
        self._base64 += letters.translate(None, _LINE_BREAKS)
        whole = len(self._base64) // 4 * 4
        block, self._base64 = self._base64[:whole], self._base64[whole:]
        self._write(block)

    def _write(self, block: bytes) -> None:
        if not block:
            return
        try:
            data = binascii.a2b_base64(block, strict_mode=True)
        except binascii.Error:
            raise _damaged() from None
        if self._padded:
            raise _damaged()
        self._padded = block.endswith(b"=")
        self._size += len(data)
        if self._size > self._max_bytes:
            raise TooLarge(f"data URL: larger than the limit of {self._max_bytes} bytes")
        self._digest.update(data)
        self._content.write(data)


def _damaged() -> InvalidInput:
    return InvalidInput("data URL: damaged; encode it as data:<type>;base64,…")
