"""Decoding of untrusted audio in a sandboxed subprocess, without credentials or network.

The subprocess sends a sample rate, a channel count, samples and tags; this process writes the
header of the result and cleans the tags. An attacker who takes over the decoder therefore controls
the samples, short texts, and the bytes of a cover, which nothing here decodes.
Formats and codecs are those of `decode`.
"""

from __future__ import annotations

import json
import math
import os
import selectors
import signal
import struct
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from mashup_worker.audio.song_tags import MAX_COVER_BYTES, NO_TAGS, SongTags, decode_cover
from mashup_worker.audio.source import RATES_HZ, regular_file_size
from mashup_worker.errors import (
    InvalidInput,
    MashupError,
    OutOfMemory,
    StorageFailed,
    TooLarge,
    TooLong,
    UnsupportedAudio,
)
from mashup_worker.system.files import atomic_path, cannot_write

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self

    from mashup_worker.settings import InputSettings

_PACKAGES = Path(__file__).parents[2]
_COMMAND = (
    "import sys; sys.path.insert(0, {root!r}); "
    "from mashup_worker.audio.sandbox_child import main; sys.exit(main())"
)
_KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT")
_TICK_S = 0.1
_BLOCK_BYTES = 1 << 18
_MAX_MESSAGE_BYTES = 1 << 14
_MAX_TEXT_LETTERS = 500
_MAX_WARNINGS = 20
_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_BYTES_PER_VALUE = 4
_WAVE_LIMIT_BYTES = (1 << 32) - (1 << 12)
_MAX_COVER_LETTERS = MAX_COVER_BYTES * 4 // 3 + 4
_PROTOCOL_VIOLATED = "its decoder sent invalid data"

_ACCEPTED_ERRORS: Mapping[str, type[MashupError]] = {
    error.code: error for error in (InvalidInput, UnsupportedAudio, TooLarge, TooLong)
}
"""Errors that the subprocess may report, by code."""


@dataclass(frozen=True, kw_only=True)
class SandboxLimits:
    """Limits of one decoding.

    Attributes:
        max_duration_s: duration of the decoded audio.
        max_decoded_bytes: size of the decoded audio as float32.
        timeout_s: wall-clock time, and processor time, of the subprocess.
        memory_bytes: address space of the subprocess.
    """

    max_duration_s: float = 600.0
    max_decoded_bytes: int = 1_000_000_000
    timeout_s: float = 120.0
    memory_bytes: int = 1_500_000_000

    @classmethod
    def of(cls, settings: InputSettings) -> Self:
        """Return the limits of the service's settings."""
        return cls(
            max_duration_s=settings.max_duration_s,
            max_decoded_bytes=settings.max_decoded_bytes,
            timeout_s=settings.decode_timeout_s,
        )


@dataclass(frozen=True)
class SandboxedFile:
    """Contents of a decoded file besides its sound.

    Attributes:
        warnings: `Decoder.warnings` as the subprocess reports them, and those about tags.
        tags: tags of the file.
    """

    warnings: tuple[str, ...] = ()
    tags: SongTags = NO_TAGS


def decode_sandboxed(
    source: Path,
    target: Path,
    limits: SandboxLimits | None = None,
    *,
    on_wait: Callable[[], None] = lambda: None,
) -> SandboxedFile:
    """Decode an untrusted file into a mono or stereo WAV of float32 samples.

    The WAV appears at `target` when it is complete.

    Args:
        source: file to decode.
        target: WAV to write.
        limits: limits of the decoding; the defaults of `SandboxLimits` when None.
        on_wait: called about ten times per second; an exception raised in it ends the subprocess.

    Raises:
        InvalidInput, UnsupportedAudio: the file cannot be decoded.
        TooLong, TooLarge: the audio exceeds a limit.
        OutOfMemory: the system killed the subprocess, most likely because memory ran out.
        StorageFailed: the WAV cannot be written.
    """
    limits = limits or SandboxLimits()
    regular_file_size(source)
    with atomic_path(target) as temporary:
        try:
            with temporary.open("xb") as file, _SandboxedDecoder(source, limits) as decoder:
                file.write(bytes(_HEADER.size))
                written_bytes = decoder.copy(file, on_wait)
                file.seek(0)
                file.write(_header(decoder.sample_rate, decoder.channels, written_bytes))
        except OSError as error:
            raise cannot_write(target, error) from error
    cover = decode_cover(decoder.cover)
    return SandboxedFile(decoder.warnings, SongTags.of({**decoder.tags, "cover": cover}))


def measure_sandboxed(
    source: Path, limits: SandboxLimits | None = None, *, on_wait: Callable[[], None] = lambda: None
) -> float:
    """Decode an untrusted file without keeping its samples; return its duration in seconds.

    Takes and raises the same as `decode_sandboxed`.
    """
    regular_file_size(source)
    with (
        Path(os.devnull).open("wb") as nothing,
        _SandboxedDecoder(source, limits or SandboxLimits()) as decoder,
    ):
        written_bytes = decoder.copy(nothing, on_wait)
    return written_bytes / (decoder.sample_rate * decoder.channels * _BYTES_PER_VALUE)


@dataclass
class _SandboxedDecoder:
    """Subprocess that decodes a file, and the messages that it has sent so far."""

    source: Path
    limits: SandboxLimits
    sample_rate: int = 0
    channels: int = 0
    is_done: bool = False
    warnings: tuple[str, ...] = ()
    tags: dict[str, Any] = field(default_factory=dict)
    cover: str = ""
    error: MashupError | None = None
    _unparsed: bytearray = field(default_factory=bytearray)

    def __enter__(self) -> _SandboxedDecoder:
        read_end, write_end = os.pipe()
        arguments = {
            "source": str(self.source.absolute()),
            "messages_fd": write_end,
            "memory_bytes": self.limits.memory_bytes,
            "cpu_s": math.ceil(self.limits.timeout_s),
        }
        environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        folder = str(self.source.absolute().parent)
        self._until_s = time.monotonic() + self.limits.timeout_s
        self._messages = os.fdopen(read_end, "rb", buffering=0)
        try:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-c", _COMMAND.format(root=str(_PACKAGES))),
                    json.dumps(arguments),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=[write_end],
                cwd=folder,
                # Each thread of OpenBLAS would take address space.
                env={**environment, "TMPDIR": folder, "OPENBLAS_NUM_THREADS": "1"},
                start_new_session=True,
            )
        except OSError as error:
            self._messages.close()
            raise StorageFailed(
                f"{sys.executable}: cannot start a decoder: {error.strerror or error}"
            ) from error
        finally:
            os.close(write_end)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):  # ffmpeg runs in the same process group
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        assert self._process.stdout is not None, "it is a pipe"  # noqa: S101
        self._process.stdout.close()
        self._messages.close()

    def copy(self, file: IO[bytes], on_wait: Callable[[], None]) -> int:
        """Write the samples to a file and return their size in bytes."""
        assert self._process.stdout is not None, "it is a pipe"  # noqa: S101
        written_bytes = 0
        with selectors.DefaultSelector() as selector:
            # Messages come first, because they announce rate and channels of the samples.
            for pipe in (self._messages, self._process.stdout):
                os.set_blocking(pipe.fileno(), False)
                selector.register(pipe, selectors.EVENT_READ)
            waited_s = time.monotonic()
            while selector.get_map():
                ready = [key.fileobj for key, _ in selector.select(_TICK_S)]
                if time.monotonic() > waited_s + _TICK_S:
                    on_wait()
                    waited_s = time.monotonic()
                self._check_time()
                if self._messages in ready and not self._receive():
                    selector.unregister(self._messages)
                if self._process.stdout in ready:
                    block = os.read(self._process.stdout.fileno(), _BLOCK_BYTES)
                    if not block:
                        selector.unregister(self._process.stdout)
                    written_bytes += len(block)
                    self._check_size(written_bytes)
                    file.write(block)
        self._check_end(written_bytes)
        return written_bytes

    def _receive(self) -> bool:
        """Read messages; return False at the end of the pipe."""
        try:
            piece = os.read(self._messages.fileno(), _MAX_MESSAGE_BYTES)
        except BlockingIOError:
            return True
        self._unparsed += piece
        *lines, rest = self._unparsed.split(b"\n")
        if len(rest) > _MAX_MESSAGE_BYTES:
            raise self._unsupported(_PROTOCOL_VIOLATED)
        self._unparsed = bytearray(rest)
        for line in lines:
            try:
                self._handle(json.loads(line))
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                raise self._unsupported(_PROTOCOL_VIOLATED) from None
        return bool(piece)

    def _handle(self, message: dict[str, Any]) -> None:
        if "sample_rate" in message:
            self.sample_rate, self.channels = int(message["sample_rate"]), int(message["channels"])
            if self.sample_rate not in RATES_HZ or self.channels not in (1, 2):
                raise self._unsupported(_PROTOCOL_VIOLATED)
        elif "error" in message:
            kind = _ACCEPTED_ERRORS.get(message["error"], UnsupportedAudio)
            text = _plain(message["message"])
            name = str(self.source)
            self.error = kind(text if text.startswith(name) else f"{name}: {text}")
        elif "warnings" in message:
            texts = [*self.warnings, *map(_plain, message["warnings"])]
            self.warnings = tuple(texts[:_MAX_WARNINGS])
        elif "tags" in message:
            self.tags = dict(message["tags"])
        elif "cover" in message:
            self.cover += message["cover"]
            if len(self.cover) > _MAX_COVER_LETTERS:
                raise self._unsupported(_PROTOCOL_VIOLATED)
        else:
            self.is_done = bool(message["done"])

    def _check_time(self) -> None:
        if time.monotonic() > self._until_s:
            raise self._unsupported(f"not finished within {self.limits.timeout_s:g} s")

    def _check_size(self, written_bytes: int) -> None:
        if written_bytes and not self.sample_rate:
            self._receive()  # rate and channels were sent before, but may not have been read yet
            if not self.sample_rate:
                raise self._unsupported(_PROTOCOL_VIOLATED)
        frame_bytes = self.channels * _BYTES_PER_VALUE
        if written_bytes > self.limits.max_duration_s * self.sample_rate * frame_bytes:
            limit = f"{self.limits.max_duration_s:g} s"
            raise TooLong(f"{self.source}: longer than the limit of {limit}")
        if written_bytes > min(self.limits.max_decoded_bytes, _WAVE_LIMIT_BYTES):
            limit = f"{self.limits.max_decoded_bytes:,} bytes"
            raise TooLarge(f"{self.source}: decodes to more than the limit of {limit}")

    def _check_end(self, written_bytes: int) -> None:
        """Raise the error of the subprocess, or one for an exit without a result."""
        try:
            code = self._process.wait(max(_TICK_S, self._until_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._check_time()
            raise
        if self.error is not None:
            raise self.error
        if code == -signal.SIGKILL:
            raise OutOfMemory(f"{self.source}: the system killed its decoder")
        if code == -signal.SIGXCPU:
            raise self._unsupported("too much processor time")
        if code != 0 or not self.is_done:
            reason = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            raise self._unsupported(f"its decoder crashed ({reason})")
        if not written_bytes:
            raise InvalidInput(f"{self.source}: no audio in this file")
        if written_bytes % (self.channels * _BYTES_PER_VALUE):
            raise self._unsupported(_PROTOCOL_VIOLATED)

    def _unsupported(self, reason: str) -> UnsupportedAudio:
        return UnsupportedAudio(f"{self.source}: cannot decode: {reason}")


def _plain(text: object) -> str:
    """Return untrusted text on one line, without control characters."""
    words = " ".join(str(text)[:_MAX_TEXT_LETTERS].split())
    return "".join(letter for letter in words if letter.isprintable())


def _header(sample_rate: int, channels: int, data_bytes: int) -> bytes:
    """Return the header of a WAV of float32 samples."""
    frame_bytes, ieee_float = channels * _BYTES_PER_VALUE, 3
    return _HEADER.pack(
        *(b"RIFF", _HEADER.size - 8 + data_bytes, b"WAVE"),
        *(b"fmt ", 16, ieee_float, channels, sample_rate, sample_rate * frame_bytes, frame_bytes),
        *(8 * _BYTES_PER_VALUE, b"data", data_bytes),
    )
