"""Decoder of libsndfile."""

from __future__ import annotations

import os
import re
from threading import Thread
from typing import TYPE_CHECKING

import soundfile

from mashup_worker.audio.mpeg import FrameReader
from mashup_worker.audio.riff import bytes_behind_chunks
from mashup_worker.audio.source import (
    AudioInfo,
    block_samples,
    cannot_open,
    cannot_read,
    check_complete,
    truncated,
)
from mashup_worker.errors import UnsupportedAudio

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from mashup_worker.audio.source import Block

_CONTAINERS = {"WAV", "WAVEX", "RF64", "W64", "FLAC", "OGG", "MP3", "AIFF", "CAF", "AU"}
"""Formats that libsndfile recognizes by content; its other formats match by accident."""

_UNKNOWN_FRAMES = 1 << 48
"""Lengths above this are placeholders of libsndfile for an unknown length."""

_UNKNOWN_SIZES = (range(0x7FFFF000, 0x80000001), range(0xFFFFF000, 0x100000000))
"""Chunk sizes of programs that could not seek back to write the real size."""

_MAX_UNDECLARED_S = 0.5
"""Bytes after the audio that would play longer than this are audio; tags are shorter."""

_SIZE_IN_LOG = re.compile(r"^\s*(?:data|SSND|riff) : (\d+) \(should be (\d+)\)", re.MULTILINE)
_FRAMES_IN_LOG = re.compile(r"does not match value from 'ds64' chunk of (\d+)")


class ForwardOnly(soundfile.SoundFile):  # type: ignore[misc]
    """File without the seeks that `soundfile` adds to each call; they corrupt Opus and are slow."""

    def seekable(self) -> bool:
        """Return False, so that `soundfile` does not seek."""
        return False


class SndfileSource:
    """Open file in WAV, FLAC, Ogg Vorbis, Opus, MP3, AIFF, CAF or a related format. A `PcmSource`.

    Raises:
        UnsupportedAudio: libsndfile does not decode this file.
        InvalidInput: the file cannot be opened.
        StorageFailed: the disk cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._frames: FrameReader | None = None
        self._pipe: _FeederPipe | None = None
        try:
            self._descriptor = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise cannot_open(path, error) from error
        try:
            self._size_bytes = os.fstat(self._descriptor).st_size
            self._file = self._open(path)
            self.info = self._describe(path)
        except soundfile.LibsndfileError as error:
            self.close()
            self._check_feeder(path)
            raise UnsupportedAudio(f"{path}: cannot decode: {_reason(error)}") from error
        except OSError as error:
            self.close()
            raise cannot_read(path, error) from error
        except BaseException:
            self.close()
            raise

    @property
    def vorbis_order(self) -> bool:
        """Whether channels are in the order of Vorbis instead of WAV."""
        return self._file.subtype in ("VORBIS", "OPUS")

    def blocks(self) -> Iterator[Block]:
        """Yield float32 arrays of shape `(samples, channels)`, about a second each."""
        count = 0
        size = block_samples(self.info.sample_rate, self.info.channels)
        while True:
            try:
                block = self._file.read(size, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                self._check_feeder(self.info.path)
                raise UnsupportedAudio(
                    f"{self.info.path}: truncated or damaged after about "
                    f"{count / self.info.sample_rate:.1f} s: {_reason(error)}"
                ) from error
            if not len(block):
                break
            count += len(block)
            yield block
        self._check_feeder(self.info.path)
        check_complete(self.info, count, self._declared_frames)
        if self._frames is not None and self._frames.ends_inside_frame:
            raise truncated(self.info, count)
        try:
            self._check_undeclared(count)
        except OSError as error:
            raise cannot_read(self.info.path, error) from error

    def close(self) -> None:
        """Close the file and end the thread that feeds it."""
        if hasattr(self, "_file"):
            self._file.close()
        if self._pipe is not None:
            self._pipe.join()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self, path: Path) -> ForwardOnly:
        frames = FrameReader(self._descriptor)
        if frames.found:
            self._frames = frames
            return self._open_pipe(frames)
        file = ForwardOnly(os.dup(self._descriptor))
        if file.format not in _CONTAINERS:
            file.close()
            raise UnsupportedAudio(f"{path}: cannot decode: not an audio file")
        if file.format in ("WAV", "WAVEX") and file.frames == 0:
            chunks = _wave_with_size(self._descriptor)
            if chunks is not None:
                file.close()
                return self._open_pipe(chunks)
        return file

    def _check_feeder(self, path: Path) -> None:
        """Raise the error of the thread that feeds libsndfile, which sees only an early end."""
        if self._pipe is not None and self._pipe.error is not None:
            raise cannot_read(path, self._pipe.error) from self._pipe.error

    def _check_undeclared(self, frames: int) -> None:
        """Raise `UnsupportedAudio` if audio follows that the header does not declare."""
        if self._pipe is not None:
            return
        extra_bytes = 0
        if self._file.format in ("WAV", "WAVEX"):
            extra_bytes = bytes_behind_chunks(self._descriptor)
        elif self._file.format == "FLAC":
            # libFLAC stops at the declared length and has read no further than it decoded.
            extra_bytes = self._size_bytes - os.lseek(self._descriptor, 0, os.SEEK_CUR)
        claimed_s = frames / self.info.sample_rate
        extra_s = extra_bytes / (self._size_bytes - extra_bytes) * claimed_s
        if extra_s > _MAX_UNDECLARED_S:
            raise UnsupportedAudio(
                f"{self.info.path}: damaged: its header declares {claimed_s:.2f} s, but about "
                f"{extra_s:.2f} s more follow"
            )

    def _open_pipe(self, chunks: Iterable[bytes]) -> ForwardOnly:
        self._pipe = _FeederPipe(chunks)
        return ForwardOnly(self._pipe.read_end)

    def _describe(self, path: Path) -> AudioInfo:
        file = self._file
        size_is_ours = self._pipe is not None and self._frames is None
        self._declared_frames = None if size_is_ours else _declared_frames(file)
        frames = self._declared_frames
        if frames is None and file.format == "OGG":
            frames = file.frames
        return AudioInfo(
            path=path,
            container=file.format,
            codec=file.subtype,
            sample_rate=file.samplerate,
            channels=file.channels,
            claimed_duration_s=None if frames is None else frames / file.samplerate,
        )


class _FeederPipe:
    """Pipe that a thread fills with chunks until its reader closes `read_end`.

    Attributes:
        error: error that ended the chunks early; set before the reader sees the end.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.error: OSError | None = None
        self.read_end, write_end = os.pipe()
        self._thread = Thread(target=self._feed, args=(write_end, chunks), daemon=True)
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    def _feed(self, write_end: int, chunks: Iterable[bytes]) -> None:
        with open(write_end, "wb", buffering=0) as pipe:
            try:
                for chunk in chunks:
                    pipe.write(chunk)
            except BrokenPipeError:
                pass  # the reader has closed its end
            except OSError as error:
                self.error = error


def _wave_with_size(descriptor: int) -> Iterator[bytes] | None:
    """Return the bytes of a WAV with data size 0, with a size that covers all of its data.

    Returns:
        Chunks of the file; None if it contains no data.
    """
    head = os.pread(descriptor, 4096, 0)
    size_at = head.find(b"data\0\0\0\0") + 4
    if size_at < 4 or os.fstat(descriptor).st_size <= size_at + 4:
        return None

    def chunks() -> Iterator[bytes]:
        yield head[:size_at] + b"\xff\xff\xff\xff" + head[size_at + 4 :]
        position = len(head)
        while chunk := os.pread(descriptor, 1 << 16, position):
            yield chunk
            position += len(chunk)

    return chunks()


def _declared_frames(file: soundfile.SoundFile) -> int | None:
    """Return the samples per channel that the header declares; None if it declares none.

    libsndfile reduces the length of WAV and AIFF to the size of the file; only its log contains
    the size in the header.
    """
    if file.format == "OGG" or file.frames >= _UNKNOWN_FRAMES:
        return None
    log = file.extra_info
    if match := _FRAMES_IN_LOG.search(log):
        return int(match[1])
    if match := _SIZE_IN_LOG.search(log):
        claimed, actual = int(match[1]), int(match[2])
        if any(claimed in sizes for sizes in _UNKNOWN_SIZES):
            return None
        if actual:
            return int(file.frames * claimed / actual)
    return int(file.frames)


def _reason(error: soundfile.LibsndfileError) -> str:
    return str(error.error_string).removeprefix("Error : ").rstrip(".").strip().lower()
