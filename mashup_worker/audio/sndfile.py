"""Decoder of libsndfile."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import soundfile

from mashup_worker.audio.descriptors import BufferedReader, FileSlice
from mashup_worker.audio.flac import channel_mask, has_frames_behind, next_stream
from mashup_worker.audio.joining import converted
from mashup_worker.audio.layouts import masked_speakers
from mashup_worker.audio.libsndfile import ForwardOnly, reason
from mashup_worker.audio.parts import Part, audio_parts
from mashup_worker.audio.riff import is_sound
from mashup_worker.audio.source import (
    AudioInfo,
    block_samples,
    cannot_open,
    cannot_read,
    check_complete,
)
from mashup_worker.audio.tags import is_padding, starts_with_tag
from mashup_worker.errors import UnsupportedAudio

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mashup_worker.audio.layouts import Speakers
    from mashup_worker.audio.source import Block

_CONTAINERS = {"WAV", "WAVEX", "RF64", "W64", "FLAC", "OGG", "MP3", "AIFF", "CAF", "AU"}
"""Formats that libsndfile recognizes by content; its other formats match by accident."""

_MAX_UNDECLARED_S = 0.5
"""Unknown bytes inside a file that would play longer than this are taken for audio."""

_READ_AHEAD_BYTES = 1 << 16
"""libFLAC may have read this many bytes behind the last frame."""

_JUDGED_BYTES = 1 << 20
_OPUS_RATE_HZ = 48_000


class SndfileSource:
    """Open file in WAV, FLAC, Ogg Vorbis, Opus, AIFF, CAF or a related format. A `PcmSource`.

    Raises:
        UnsupportedAudio: libsndfile does not decode this file.
        InvalidInput: the file cannot be opened.
        StorageFailed: the disk cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._slice: FileSlice | None = None
        self._warnings: list[str] = []
        try:
            self._descriptor = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise cannot_open(path, error) from error
        try:
            self._reader = BufferedReader(self._descriptor)
            found = audio_parts(self._reader)
            self._wave, (self._part, *self._later) = found.wave, found.parts
            self._warnings += found.warnings
            self._file = self._open(self._part)
            self.info = self._describe()
        except soundfile.LibsndfileError as error:
            self._check_disk()
            self.close()
            raise UnsupportedAudio(f"{path}: cannot decode: {reason(error)}") from error
        except OSError as error:
            self.close()
            raise cannot_read(path, error) from error
        except BaseException:
            self.close()
            raise

    @property
    def warnings(self) -> tuple[str, ...]:
        """Missing and ignored parts of the file, found so far."""
        return tuple(self._warnings)

    def blocks(self) -> Iterator[Block]:
        """Yield float32 arrays of shape `(samples, channels)`, about a second each."""
        count, wanted = 0, (self.info.sample_rate, self.info.speakers)
        try:
            while True:
                self._note_gaps(count / self.info.sample_rate)
                form = (self._file.samplerate, self._speakers())
                for block in converted(self._decoded(), form, wanted):
                    count += len(block)
                    yield block
                if not self._open_next():
                    break
            self._check_behind_wave(count)
        except OSError as error:
            raise cannot_read(self._path, error) from error

    def close(self) -> None:
        """Close the file."""
        if hasattr(self, "_file"):
            self._file.close()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self, part: Part) -> ForwardOnly:
        if part == Part(0, self._reader.size):
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            file = ForwardOnly(os.dup(self._descriptor))
        else:
            self._slice = FileSlice(self._descriptor, part.start, part.stop, part.head)
            file = ForwardOnly(self._slice)
        if file.format not in _CONTAINERS:
            file.close()
            raise UnsupportedAudio(f"{self._path}: cannot decode: not an audio file")
        return file

    def _open_next(self) -> bool:
        """Open the next part; return False at the end."""
        if not self._later:
            return False
        self._file.close()
        self._part = self._later.pop(0)
        try:
            self._file = self._open(self._part)
        except soundfile.LibsndfileError as error:
            self._check_disk()
            raise UnsupportedAudio(
                f"{self._path}: cannot decode the part from byte {self._part.start:,} on: "
                f"{reason(error)}"
            ) from error
        return True

    def _describe(self) -> AudioInfo:
        file = self._file
        frames = self._declared_frames()
        if file.format == "OGG" and not self._later:
            frames = file.frames
        return AudioInfo(
            path=self._path,
            container=file.format,
            codec=file.subtype,
            sample_rate=file.samplerate,
            speakers=self._speakers(),
            claimed_duration_s=None if frames is None else frames / file.samplerate,
        )

    def _declared_frames(self) -> int | None:
        return None if self._part.head else self._file.declared_frames()

    def _speakers(self) -> Speakers:
        file = self._file
        if file.format == "FLAC" and file.channels > 2:
            return masked_speakers(channel_mask(self._reader, self._part.start), file.channels)
        return file.speakers()

    def _decoded(self) -> Iterator[Block]:
        """Yield the samples of the open part."""
        file, count, behind = self._file, 0, ""
        rate, declared = file.samplerate, self._declared_frames()
        is_flac, size = file.format == "FLAC", block_samples(rate, file.channels)
        # libFLAC fails on bytes behind the last frame, so it is asked for no more than that.
        end = declared if is_flac else None
        while end is None or count < end:
            block, error = file.read_block(size if end is None else min(size, end - count))
            if (error and not (is_flac and end is None)) or (behind and len(block)):
                self._check_disk()
                raise UnsupportedAudio(
                    f"{self._path}: truncated or damaged after about {count / rate:.1f} s: "
                    f"{error or behind}"
                )
            behind = error
            if not len(block):
                break
            count += len(block)
            yield block
        self._check_disk()
        check_complete(self.info, count, declared)
        if is_flac and self._position() < self._reader.size:
            self._find_next_stream(count, declared)

    def _check_disk(self) -> None:
        """Raise the error of the disk behind an early end of a part."""
        if self._slice is not None and self._slice.error is not None:
            raise cannot_read(self._path, self._slice.error)

    def _note_gaps(self, start_s: float) -> None:
        link = self._part.link
        if link is None:
            return
        rate = _OPUS_RATE_HZ if self._file.subtype == "OPUS" else self._file.samplerate
        for position in link.gaps:
            at_s = start_s + position / rate
            self._warnings.append(f"{at_s:.2f} s: pages of the Ogg stream are damaged or missing")
        if not link.is_ended:
            self._warnings.append("the Ogg stream has no last page; the file may be cut")

    def _position(self) -> int:
        """Return a position behind the last byte that was decoded."""
        if self._slice is not None:
            return self._part.start + self._slice.tell()
        return os.lseek(self._descriptor, 0, os.SEEK_CUR)

    def _find_next_stream(self, frames: int, declared: int | None) -> None:
        """Find the stream behind a FLAC stream, and check what lies between them."""
        reader, stop = self._reader, self._reader.size
        start = max(self._part.start + 1, self._position() - _READ_AHEAD_BYTES)
        following = next_stream(reader, start, stop)
        if following is not None:
            self._later.append(Part(following, stop))
            stop = following
        if declared and has_frames_behind(reader, self._part.start, range(start, stop), frames):
            declared_s = declared / self._file.samplerate
            raise UnsupportedAudio(
                f"{self._path}: damaged: its header declares {declared_s:.2f} s, but more audio "
                "follows"
            )

    def _check_behind_wave(self, frames: int) -> None:
        """Raise `UnsupportedAudio` if audio follows the chunks of a WAV file."""
        wave, path, size = self._wave, self._path, self._reader.size
        if wave is None or not wave.data or wave.end >= size:
            return
        data = self._reader.read(wave.end, min(_JUDGED_BYTES, size - wave.end))
        if is_padding(data) or starts_with_tag(data.lstrip(b"\0")):
            return
        if data[:4] == b"RIFF":
            self._warnings.append("another WAV file follows, and is ignored")
            return
        claimed_s = frames / self.info.sample_rate
        behind_s = (size - wave.end) / sum(map(len, wave.data)) * claimed_s
        is_inside = wave.end < wave.riff_end <= size
        if behind_s > _MAX_UNDECLARED_S and (is_inside or is_sound(data, wave)):
            raise UnsupportedAudio(
                f"{path}: damaged: its header declares {claimed_s:.2f} s, but about "
                f"{behind_s:.2f} s more follow"
            )
        self._warnings.append(f"{size - wave.end:,} bytes behind the audio are ignored")
