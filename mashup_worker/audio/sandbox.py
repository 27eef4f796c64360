"""Decodes files of strangers in a process apart, which has no credentials and little of anything.

What comes back is a rate, a number of channels and numbers; the header before them is written here.
So whoever takes over a decoder can choose samples, and that is all. Playback formats and codecs are
those of `decode`.
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

from mashup_worker.system.files import atomic_path, cannot_write
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

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PACKAGES = Path(__file__).parents[2]
_COMMAND = (
    "import sys; sys.path.insert(0, {root!r}); "
    "from mashup_worker.audio.sandbox_child import main; sys.exit(main())"
)
_KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT")
_TICK_S = 0.1
_BLOCK_BYTES = 1 << 18
_MOST_TOLD_BYTES = 1 << 14
_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_BYTES_PER_VALUE = 4
_WAVE_LIMIT_BYTES = (1 << 32) - (1 << 12)

_BELIEVED: Mapping[str, type[MashupError]] = {
    error.code: error for error in (InvalidInput, UnsupportedAudio, TooLarge, TooLong)
}


@dataclass(frozen=True)
class ApartLimits:
    """What decoding one file may take.

    Attributes:
        max_duration_s: seconds of sound.
        max_decoded_bytes: of the decoded sound, as float32.
        timeout_s: seconds for everything.
        memory_bytes: address space of the process.
    """

    max_duration_s: float = 600.0
    max_decoded_bytes: int = 1_000_000_000
    timeout_s: float = 120.0
    memory_bytes: int = 1_500_000_000


def decode_apart(
    source: Path,
    target: Path,
    limits: ApartLimits | None = None,
    on_wait: Callable[[], None] = lambda: None,
) -> None:
    """Decode a file into a WAV of float32 samples, mono or stereo, which appears when it is whole.

    Args:
        source: the file, which may hold anything.
        target: the WAV.
        limits: what it may take.
        on_wait: called about ten times a second; an exception raised in it ends the process.

    Raises:
        InvalidInput, UnsupportedAudio: the file can't be decoded.
        TooLong, TooLarge: a limit is passed.
        OutOfMemory: the system ended the process, most likely for memory.
        StorageFailed: the WAV can't be written.
    """
    limits = limits or ApartLimits()
    regular_file_size(source)
    with atomic_path(target) as temporary:
        try:
            with temporary.open("xb") as file, _Decoding(source, limits) as decoding:
                file.write(bytes(_HEADER.size))
                written_bytes = decoding.copy(file, on_wait)
                file.seek(0)
                file.write(_header(decoding.rate_hz, decoding.channels, written_bytes))
        except OSError as error:
            raise cannot_write(target, error) from error


@dataclass
class _Decoding:
    """The process, and what it told so far."""

    source: Path
    limits: ApartLimits
    rate_hz: int = 0
    channels: int = 0
    is_done: bool = False
    refusal: MashupError | None = None
    _told: bytearray = field(default_factory=bytearray)

    def __enter__(self) -> _Decoding:
        tell_here, tell_there = os.pipe()
        given = {
            "source": str(self.source.absolute()),
            "tell": tell_there,
            "memory_bytes": self.limits.memory_bytes,
            "cpu_s": math.ceil(self.limits.timeout_s),
        }
        environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        folder = str(self.source.absolute().parent)
        self._until_s = time.monotonic() + self.limits.timeout_s
        self._messages = os.fdopen(tell_here, "rb", buffering=0)
        try:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-c", _COMMAND.format(root=str(_PACKAGES))),
                    json.dumps(given),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=[tell_there],
                cwd=folder,
                # One thread of arithmetic: each more would take address space.
                env={**environment, "TMPDIR": folder, "OPENBLAS_NUM_THREADS": "1"},
                start_new_session=True,
            )
        except OSError as error:
            self._messages.close()
            raise StorageFailed(f"can't start a decoder: {error.strerror or error}") from error
        finally:
            os.close(tell_there)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):  # its helpers are in the same group
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        assert self._process.stdout is not None, "it is a pipe"  # noqa: S101
        self._process.stdout.close()
        self._messages.close()

    def copy(self, file: IO[bytes], on_wait: Callable[[], None]) -> int:
        """Write the samples to a file, and give the number of their bytes."""
        assert self._process.stdout is not None, "it is a pipe"  # noqa: S101
        written_bytes = 0
        with selectors.DefaultSelector() as waiting:
            # Messages first: they say of what kind the samples are.
            for pipe in (self._messages, self._process.stdout):
                os.set_blocking(pipe.fileno(), False)
                waiting.register(pipe, selectors.EVENT_READ)
            waited_s = time.monotonic()
            while waiting.get_map():
                ready = [key.fileobj for key, _ in waiting.select(_TICK_S)]
                if time.monotonic() > waited_s + _TICK_S:
                    on_wait()
                    waited_s = time.monotonic()
                self._check_time()
                if self._messages in ready and not self._listen():
                    waiting.unregister(self._messages)
                if self._process.stdout in ready:
                    block = os.read(self._process.stdout.fileno(), _BLOCK_BYTES)
                    if not block:
                        waiting.unregister(self._process.stdout)
                    written_bytes += len(block)
                    self._check_size(written_bytes)
                    file.write(block)
        self._check_end(written_bytes)
        return written_bytes

    def _listen(self) -> bool:
        """Take in what it says; whether there may be more."""
        try:
            piece = os.read(self._messages.fileno(), _MOST_TOLD_BYTES)
        except BlockingIOError:
            return True
        self._told += piece
        if len(self._told) > _MOST_TOLD_BYTES:
            raise self._unsupported("its decoder talks nonsense")
        *lines, rest = self._told.split(b"\n")
        self._told = bytearray(rest)
        for line in lines:
            try:
                message = json.loads(line)
                self._take(message)
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                raise self._unsupported("its decoder talks nonsense") from None
        return bool(piece)

    def _take(self, message: dict[str, Any]) -> None:
        if "rate_hz" in message:
            self.rate_hz, self.channels = int(message["rate_hz"]), int(message["channels"])
            if self.rate_hz not in RATES_HZ or self.channels not in (1, 2):
                raise self._unsupported("its decoder talks nonsense")
        elif "error" in message:
            kind = _BELIEVED.get(message["error"], UnsupportedAudio)
            words = " ".join(str(message["message"])[:500].split())
            name = str(self.source)
            self.refusal = kind(words if words.startswith(name) else f"{name}: {words}")
        else:
            self.is_done = bool(message["done"])

    def _check_time(self) -> None:
        if time.monotonic() > self._until_s:
            raise self._unsupported(f"it takes longer than {self.limits.timeout_s:g} s")

    def _check_size(self, written_bytes: int) -> None:
        if written_bytes and not self.rate_hz:
            self._listen()  # it was said before, and may not have been heard yet
            if not self.rate_hz:
                raise self._unsupported("its decoder talks nonsense")
        frame_bytes = self.channels * _BYTES_PER_VALUE
        if written_bytes > self.limits.max_duration_s * self.rate_hz * frame_bytes:
            most = f"{self.limits.max_duration_s:g} s"
            raise TooLong(f"{self.source} lasts longer than the limit of {most}")
        if written_bytes > min(self.limits.max_decoded_bytes, _WAVE_LIMIT_BYTES):
            most = f"{self.limits.max_decoded_bytes:,} bytes"
            raise TooLarge(f"{self.source} decodes to more than the limit of {most}")

    def _check_end(self, written_bytes: int) -> None:
        """Whether it ended as it should."""
        try:
            code = self._process.wait(max(_TICK_S, self._until_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._check_time()
            raise
        if self.refusal is not None:
            raise self.refusal
        if code == -signal.SIGKILL:
            raise OutOfMemory(f"{self.source}: the system ended its decoder")
        if code == -signal.SIGXCPU:
            raise self._unsupported("it takes too much time")
        if code != 0 or not self.is_done:
            how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            raise self._unsupported(f"its decoder broke down ({how})")
        if not written_bytes:
            raise InvalidInput(f"{self.source} has no audio")
        if written_bytes % (self.channels * _BYTES_PER_VALUE):
            raise self._unsupported("its decoder talks nonsense")

    def _unsupported(self, why: str) -> UnsupportedAudio:
        return UnsupportedAudio(f"{self.source} can't be decoded: {why}")


def _header(rate_hz: int, channels: int, data_bytes: int) -> bytes:
    """The beginning of a WAV of float32 samples."""
    frame_bytes, ieee_float = channels * _BYTES_PER_VALUE, 3
    return _HEADER.pack(
        *(b"RIFF", _HEADER.size - 8 + data_bytes, b"WAVE"),
        *(b"fmt ", 16, ieee_float, channels, rate_hz, rate_hz * frame_bytes, frame_bytes),
        *(8 * _BYTES_PER_VALUE, b"data", data_bytes),
    )
