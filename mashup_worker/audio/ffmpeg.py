"""Decoder of ffmpeg for formats that libsndfile lacks: AAC, M4A, WebM, WMA and more.

ffmpeg and ffprobe are restricted to the demuxer that the first bytes of the file select, and to
files and pipes, so they never follow a playlist that names other files or addresses. `pydub` only
finds the programs: it would let ffprobe guess the demuxer, and would hold the whole song in memory
as 16-bit integers.
"""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import subprocess
import tempfile
import warnings
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from mashup_worker.audio.layouts import ffmpeg_speakers
from mashup_worker.audio.mpeg import parse_header
from mashup_worker.audio.source import AudioInfo, block_samples, cannot_open, check_complete
from mashup_worker.errors import UnsupportedAudio

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType
    from typing import IO

    from mashup_worker.audio.source import Block

_DEMUXERS = (
    (4, b"ftyp", "mov"),
    (4, b"moov", "mov"),
    (4, b"mdat", "mov"),
    (4, b"wide", "mov"),
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (0, b"OggS", "ogg"),
    (0, b"FLV\x01", "flv"),
    (0, b".RMF", "rm"),
    (0, b"caff", "caf"),
    (0, b"wvpk", "wv"),
    (0, b"MAC ", "ape"),
    (0, b"TTA1", "tta"),
    (0, b"MPCK", "mpc8"),
    (0, b"DSD ", "dsf"),
    (0, b"#!AMR", "amr"),
    (0, b"\x0b\x77", "ac3"),
    (0, b"\x7f\xfe\x80\x01", "dts"),
    (0, b"\x00\x00\x01\xba", "mpeg"),
)
"""Offset, bytes at that offset, demuxer."""

_CHUNKED = {
    (b"RIFF", b"WAVE"): "wav",
    (b"RF64", b"WAVE"): "wav",
    (b"RIFF", b"AVI "): "avi",
    (b"FORM", b"AIFC"): "aiff",
}
"""Bytes at offsets 0 and 8, with a size between them, and their demuxer."""

HEAD_BYTES = 189
"""Size of a packet of an MPEG transport stream and of the first byte of the next one."""

_GUESSED = "aac,ac3,amr,ape,asf,dts,eac3,flac,loas,matroska,mov,mpeg,mpegts,ogg,tta,wv"
"""Demuxers among which ffmpeg may choose for unknown first bytes; none reads another file."""

_RESTRICTED = ("-v", "error", "-protocol_whitelist", "file,pipe")

_SURE_SCORE = 26
"""Lowest score of a guessed demuxer: content decides, and not the name of the file."""

_LOG_PREFIX = re.compile(r"^\[\w+ @ 0x[0-9a-f]+\]\s*")
_HARMLESS = re.compile(r"$|Last message repeated|Application provided invalid, non monotonically")
_READ_LOG_BYTES = 1 << 16
_MAX_WARNINGS = 5

_PROBE_TIMEOUT_S = 30.0

_OUTPUT_TIMEOUT_S = 60.0
"""Longest time that ffmpeg may write no output."""


def demuxer_of(path: Path) -> str | None:
    """Return the demuxer of ffmpeg that the first bytes of a file select; None if unknown.

    Raises:
        InvalidInput: the file cannot be opened or read.
    """
    return demuxer_of_head(first_bytes(path))


def first_bytes(path: Path) -> bytes:
    """Return the first `HEAD_BYTES` of a file, or those behind its ID3 tag.

    Raises:
        InvalidInput: the file cannot be opened or read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            if head[:3] == b"ID3":  # AAC and MP3 frames may follow
                file.seek(10 + sum((byte & 0x7F) << 7 * i for i, byte in enumerate(head[9:5:-1])))
                head = file.read(HEAD_BYTES)
    except OSError as error:
        raise cannot_open(path, error) from error
    return head


def demuxer_of_head(head: bytes) -> str | None:
    """Return the demuxer of ffmpeg that the first `HEAD_BYTES` select; None if unknown."""
    if parse_header(head[:4]) is not None:
        return "mp3"
    if head[:1] == b"\xff" and head[1:2] in (b"\xf0", b"\xf1", b"\xf8", b"\xf9"):
        return "aac"
    if head[:1] == head[188:189] == b"\x47":
        return "mpegts"
    for offset, magic, demuxer in _DEMUXERS:
        if head[offset : offset + len(magic)] == magic:
            return demuxer
    return _CHUNKED.get((head[:4], head[8:12]))


def ffmpeg_found() -> bool:
    """Return whether ffmpeg and ffprobe are on PATH."""
    return "PATH" in os.environ and all(map(shutil.which, ("ffmpeg", "ffprobe")))


class FfmpegSource:
    """First audio stream of a file, decoded by ffmpeg. A `PcmSource`.

    Args:
        path: the file.
        demuxer: demuxer of ffmpeg; None if ffmpeg shall choose one of `_GUESSED`.

    Raises:
        UnsupportedAudio: ffmpeg finds no audio in the file.
    """

    def __init__(self, path: Path, demuxer: str | None) -> None:
        self._path = path.absolute()
        self._process: subprocess.Popen[bytes] | None = None
        self._warnings: tuple[str, ...] = ()
        media = _media(self._path, path, demuxer)
        streams = media["streams"]
        if demuxer is None:
            if int(media["format"].get("probe_score", 0)) < _SURE_SCORE:
                raise UnsupportedAudio(f"{path}: cannot decode: not an audio file")
            demuxer = str(media["format"]["format_name"]).split(",")[0]
        self._demuxer = demuxer
        audio = [stream for stream in streams if stream.get("codec_type") == "audio"]
        if not audio or "sample_rate" not in audio[0]:
            raise UnsupportedAudio(f"{path}: cannot decode: ffmpeg finds no audio stream")
        self._index = int(audio[0]["index"])
        channels = int(audio[0]["channels"])
        self.info = AudioInfo(
            path=path,
            container=demuxer,
            codec=str(audio[0].get("codec_name", "unknown")),
            sample_rate=int(audio[0]["sample_rate"]),
            speakers=ffmpeg_speakers(str(audio[0].get("channel_layout", "")), channels),
            claimed_duration_s=_duration_s(media, audio[0], demuxer),
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """Errors that ffmpeg reported and passed over."""
        return self._warnings

    def blocks(self) -> Iterator[Block]:
        """Yield float32 arrays of shape `(samples, channels)`, about a second each."""
        count = 0
        channels = self.info.channels
        size = 4 * channels * block_samples(self.info.sample_rate, channels)
        with tempfile.TemporaryFile() as log:
            process = self._start(log)
            while data := self._read(process, size):
                # ffmpeg may have been killed inside a frame.
                whole = data[: len(data) - len(data) % (4 * channels)]
                block = np.frombuffer(whole, "<f4").reshape(-1, channels)
                count += len(block)
                yield block
            if self._exit_code(process):
                log.seek(0)
                raise UnsupportedAudio(
                    f"{self.info.path}: cannot decode: ffmpeg: {_first_line(log.read())}"
                )
            self._warnings = _warnings(log)
        check_complete(self.info, count, self._declared_frames())

    def close(self) -> None:
        """Stop ffmpeg."""
        if self._process is not None and self._process.stdout is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()

    def _start(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        try:
            self._process = subprocess.Popen(
                self._command(),
                bufsize=0,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        except OSError as error:
            raise _cannot_run(self.info.path, "ffmpeg", error) from error
        return self._process

    def _read(self, process: subprocess.Popen[bytes], size: int) -> bytearray:
        """Return the next `size` bytes, or fewer at the end."""
        data = bytearray()
        if process.stdout is None:
            return data
        output = process.stdout.fileno()
        waiting = select.poll()
        waiting.register(output, select.POLLIN)
        while len(data) < size:
            if not waiting.poll(1000 * _OUTPUT_TIMEOUT_S):
                raise self._timed_out()
            piece = os.read(output, size - len(data))
            if not piece:
                break
            data += piece
        return data

    def _exit_code(self, process: subprocess.Popen[bytes]) -> int:
        try:
            return process.wait(_OUTPUT_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise self._timed_out() from error

    def _timed_out(self) -> UnsupportedAudio:
        self.close()
        return UnsupportedAudio(
            f"{self.info.path}: cannot decode: no output from ffmpeg for {_OUTPUT_TIMEOUT_S:g} s"
        )

    def _declared_frames(self) -> int | None:
        # In other formats the duration is estimated from the bitrate.
        if self._demuxer not in ("mov", "matroska", "caf") or self.info.claimed_duration_s is None:
            return None
        return int(self.info.claimed_duration_s * self.info.sample_rate)

    def _command(self) -> list[str]:
        command = [_pydub().get_encoder_name(), "-nostdin", *_RESTRICTED, "-f", self._demuxer]
        command += ["-i", f"file:{self._path}", "-map", f"0:{self._index}"]
        # A stream may change its form; the first one holds.
        command += ["-ar", str(self.info.sample_rate), "-ac", str(self.info.channels)]
        return [*command, "-f", "f32le", "pipe:1"]


def _duration_s(media: dict[str, Any], stream: dict[str, Any], demuxer: str) -> float | None:
    """Return the duration of a stream that the header declares."""
    if "duration" in stream:
        return float(stream["duration"])
    # Matroska has one length for all of its streams.
    if len(media["streams"]) > 1 or "duration" not in media["format"]:
        return None
    # It is the end of the last block, and the first block may start later than 0.
    start_s = float(media["format"].get("start_time", 0)) if demuxer == "matroska" else 0.0
    return float(media["format"]["duration"]) - max(0.0, start_s)


def _media(absolute: Path, path: Path, demuxer: str | None) -> dict[str, Any]:
    """Return the report of ffprobe on a file."""
    chosen = ("-f", demuxer) if demuxer else ("-format_whitelist", _GUESSED)
    command = [_pydub().get_prober_name(), *_RESTRICTED, *chosen, "-of", "json"]
    command += ["-show_format", "-show_streams", f"file:{absolute}"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PROBE_TIMEOUT_S
        )
        media: dict[str, Any] = json.loads(done.stdout.decode(errors="replace"))
    except subprocess.TimeoutExpired as error:
        raise UnsupportedAudio(
            f"{path}: cannot decode: ffprobe did not finish within {_PROBE_TIMEOUT_S:g} s"
        ) from error
    except OSError as error:
        raise _cannot_run(path, "ffprobe", error) from error
    except ValueError:
        media = {}
    if not media.get("streams"):
        raise UnsupportedAudio(f"{path}: cannot decode: ffprobe finds no streams")
    return media


def _pydub() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydub's regular expressions warn on newer Pythons
        from pydub import utils
    return cast("ModuleType", utils)


def _cannot_run(path: Path, program: str, error: OSError) -> UnsupportedAudio:
    return UnsupportedAudio(f"{path}: cannot run {program}: {error.strerror or error}")


def _warnings(log: IO[bytes]) -> tuple[str, ...]:
    """Return the errors in the log of a decoding that succeeded, without ffmpeg's prefixes."""
    log.seek(0)
    lines = log.read(_READ_LOG_BYTES).decode(errors="replace").splitlines()
    texts = dict.fromkeys(_LOG_PREFIX.sub("", line).strip() for line in lines)
    return tuple(f"ffmpeg: {text}" for text in texts if not _HARMLESS.match(text))[:_MAX_WARNINGS]


def _first_line(log: bytes) -> str:
    return next(iter(log.decode(errors="replace").splitlines()), "no message")
