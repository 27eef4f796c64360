"""Files in multipart bodies, written to disk while they arrive.

Starlette's `UploadFile` is no help here: its parser reads the whole body into temporary files
before a route is called.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anyio import to_thread
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from mashup_worker.audio.formats import audio_suffix
from mashup_worker.errors import InvalidInput
from mashup_worker.storage.writing import too_large
from mashup_worker.system.files import cannot_write

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from typing import Any, BinaryIO

OVERHEAD_BYTES = 1 << 17
"""Bytes of a body beside its file: other fields and headers."""

_MAX_PARTS = 20
_MAX_FIELDS_BYTES = 1 << 16
_BUFFER_BYTES = 1 << 20
_MAX_NAME_BYTES = 160
_CODED = re.compile("%(22|0A|0D)")
"""Letters that browsers encode in names: the quotation mark and line breaks, and no percent."""

_UNSAFE = frozenset('"#$%*:;<>?^`{|}')


@dataclass(frozen=True, kw_only=True)
class FormFile:
    """File of a form.

    Attributes:
        name: file name that is safe in keys and links; its suffix names a container of audio, or
            is `.bin`.
    """

    path: Path
    name: str
    bytes: int
    sha256: str


async def receive_file(
    body: AsyncIterator[bytes], content_type: str, path: Path, *, field: str, max_bytes: int
) -> FormFile:
    """Write the file in one field of a multipart body to a new file.

    Other fields are dropped. The memory that this takes does not depend on the body.

    Args:
        body: blocks of the body.
        content_type: header of the request.
        path: file to write.
        field: name of the field.
        max_bytes: size limit of the file.

    Raises:
        InvalidInput: the body is not multipart, damaged, or without exactly one such file.
        TooLarge: the file is larger than the limit.
        StorageFailed: the file cannot be written.
    """
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise InvalidInput("Content-Type: not multipart/form-data with a boundary")
    form = _Form(field, max_bytes)
    digest = hashlib.sha256()
    try:
        parser = MultipartParser(
            options[b"boundary"],
            {
                "on_part_begin": form.begin_part,
                "on_header_field": form.add_to_header_name,
                "on_header_value": form.add_to_header_value,
                "on_header_end": form.end_header,
                "on_headers_finished": form.end_headers,
                "on_part_data": form.add_data,
                "on_end": form.end,
            },
        )
        file = await to_thread.run_sync(path.open, "xb")
        try:
            async for block in body:
                parser.write(block)
                if len(form.pending) >= _BUFFER_BYTES:
                    await to_thread.run_sync(_write, file, digest, form.take())
            await to_thread.run_sync(_write, file, digest, form.take())
        finally:
            file.close()
    except FormParserError as error:
        raise InvalidInput(f"body: not multipart/form-data: {error}") from error
    except OSError as error:
        raise cannot_write(path, error) from error
    form.check()
    return FormFile(
        path=path, name=safe_name(form.file_name), bytes=form.file_bytes, sha256=digest.hexdigest()
    )


def safe_name(name: str) -> str:
    """Return the file name at the end of a path from a client, for use in keys and links.

    Its suffix decides the media type, so that of another file than audio is followed by `.bin`.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    kept = (letter if letter.isprintable() and letter not in _UNSAFE else "_" for letter in last)
    safe = "".join(kept).strip(" .")
    suffix = audio_suffix(safe)
    stem = safe[: len(safe) - len(suffix)]
    stem = stem.encode(errors="replace")[:_MAX_NAME_BYTES].decode(errors="ignore")
    return f"{stem or 'audio'}{suffix or '.bin'}"


class _Form:
    """State of a multipart parser, and the bytes of the file that are not written yet."""

    def __init__(self, field: str, max_bytes: int) -> None:
        self._field, self._max_bytes = field, max_bytes
        self._parts = self._fields_bytes = self._files = 0
        self._header_name = self._header_value = b""
        self._disposition = b""
        self._is_file = self._is_complete = False
        self.file_name = ""
        self.file_bytes = 0
        self.pending = bytearray()

    def take(self) -> bytes:
        """Return the bytes to write next, and drop them here."""
        taken, self.pending = bytes(self.pending), bytearray()
        return taken

    def check(self) -> None:
        """Raise `InvalidInput` if the form is truncated or has no file."""
        if not self._is_complete:
            raise InvalidInput("body: truncated; its last boundary is missing")
        if not self._files:
            raise InvalidInput(f"body: no file in a field {self._field!r}")

    def begin_part(self) -> None:
        self._parts += 1
        if self._parts > _MAX_PARTS:
            raise InvalidInput(f"body: more than {_MAX_PARTS} parts")
        self._disposition = b""

    def add_to_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def add_to_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def end_header(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = self._header_value
        self._header_name = self._header_value = b""

    def end_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._is_file = options.get(b"name") == self._field.encode()
        if self._is_file:
            self._files += 1
            if self._files > 1:
                raise InvalidInput(f"body: more than one file in the field {self._field!r}")
            self.file_name = _text(options.get(b"filename", b""))

    def add_data(self, data: bytes, start: int, end: int) -> None:
        if not self._is_file:
            self._fields_bytes += end - start
            if self._fields_bytes > _MAX_FIELDS_BYTES:
                raise InvalidInput(f"body: fields besides {self._field!r} are too large")
            return
        self.file_bytes += end - start
        if self.file_bytes > self._max_bytes:
            raise too_large(self._field, self._max_bytes)
        self.pending += data[start:end]

    def end(self) -> None:
        self._is_complete = True


def _text(name: bytes) -> str:
    try:
        text = name.decode()
    except UnicodeDecodeError:
        text = name.decode("latin-1")
    return _CODED.sub(lambda code: chr(int(code[1], 16)), text)


def _write(file: BinaryIO, digest: Any, block: bytes) -> None:
    file.write(block)
    digest.update(block)
