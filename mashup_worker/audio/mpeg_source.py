"""Decoder of MPEG audio: libsndfile decodes the frames that `mpeg_stream` finds.

libsndfile alone estimates the length of a file without a tag from its first frames and stops there,
stops where rate or channels change, and believes the counts of a tag. It is given frames without
tags, through a pipe, and a new decoder for each change.
"""

from __future__ import annotations

import os
from contextlib import closing
from threading import Thread
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from mashup_worker.audio.descriptors import BufferedReader
from mashup_worker.audio.joining import converted
from mashup_worker.audio.layouts import default_speakers
from mashup_worker.audio.libsndfile import ForwardOnly
from mashup_worker.audio.mpeg import LAYER_3, muted
from mashup_worker.audio.mpeg_stream import MpegStream
from mashup_worker.audio.source import AudioInfo, block_samples, cannot_open, cannot_read, truncated
from mashup_worker.errors import UnsupportedAudio

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from mashup_worker.audio.mpeg import FrameHeader
    from mashup_worker.audio.source import Block
    from mashup_worker.errors import MashupError

_CODECS = {3: "MPEG_LAYER_I", 2: "MPEG_LAYER_II", LAYER_3: "MPEG_LAYER_III"}
_CHUNK_BYTES = 1 << 15
_LISTED_GAPS = 10


class MpegSource:
    """Open file in MPEG audio. A `PcmSource`.

    Args:
        path: the file.
        anywhere: whether to search the first frame behind unknown bytes too.

    Raises:
        UnsupportedAudio: the file is not MPEG audio.
        InvalidInput: the file cannot be opened.
        StorageFailed: the disk cannot be read.
    """

    def __init__(self, path: Path, *, anywhere: bool = False) -> None:
        try:
            self._descriptor = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise cannot_open(path, error) from error
        try:
            self._stream = MpegStream(BufferedReader(self._descriptor), anywhere=anywhere)
            first = self._stream.first
            if first is None:
                raise UnsupportedAudio(f"{path}: cannot decode: no frames of MPEG audio")
        except OSError as error:
            self.close()
            raise cannot_read(path, error) from error
        except BaseException:
            self.close()
            raise
        declared = self._stream.declared_samples
        self.info = AudioInfo(
            path=path,
            container="MP3",
            codec=_CODECS[first.family[1]],
            sample_rate=first.sample_rate,
            speakers=default_speakers(first.channels),
            claimed_duration_s=None if declared is None else declared / first.sample_rate,
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """Places where sound is missing, found so far."""
        stream, gaps = self._stream, self._stream.gaps
        found = [
            f"{gap.at_s:.2f} s: damaged or missing MP3 frames; {gap.muted_s:.2f} s are silent"
            for gap in gaps[:_LISTED_GAPS]
        ]
        if len(gaps) > _LISTED_GAPS:
            found.append(f"damaged or missing MP3 frames in {len(gaps) - _LISTED_GAPS} more places")
        if stream.is_cut:
            found.append("the file ends inside an MP3 frame")
        if self._is_short:
            found.append(f"its MP3 tag declares {stream.missing_frames} frames more than it has")
        return tuple(found)

    def blocks(self) -> Iterator[Block]:
        """Yield float32 arrays of shape `(samples, channels)`, about a second each."""
        count, runs = 0, _Runs(self._stream)
        is_first = True
        while runs.form is not None:
            with closing(_RunDecoder(runs, self.info.path)) as run:
                for block in converted(
                    self._trimmed(run.blocks()) if is_first else run.blocks(),
                    (run.sample_rate, default_speakers(run.channels)),
                    (self.info.sample_rate, self.info.speakers),
                ):
                    count += len(block)
                    yield block
            is_first = False
        declared = self._stream.declared_samples
        if declared and self._is_short and self._stream.is_cut:
            raise truncated(self.info, count, declared / self.info.sample_rate)

    @property
    def _is_short(self) -> bool:
        """Whether frames lack that the tag declares; some encoders count the tag itself."""
        return self._stream.missing_frames > 1

    def _trimmed(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """Yield blocks without the silence that the encoder added at both ends."""
        position = 0
        for block in blocks:
            length = len(block)
            for part in reversed(self._stream.removed):
                start, stop = (
                    min(max(edge - position, 0), length) for edge in (part.start, part.stop)
                )
                if start < stop:
                    block = np.concatenate([block[:start], block[stop:]]) if start else block[stop:]
            position += length
            yield block

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class _Runs:
    """Frames of a stream, divided into runs of one sample rate and channel count.

    Attributes:
        form: header of the first frame of the next run; None at the end.
        length_samples: length of the last run.
    """

    def __init__(self, stream: MpegStream) -> None:
        self._frames = iter(stream)
        self.form: FrameHeader | None = None
        self.length_samples = 0
        self._read_next()

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes of the next run, after one frame of silence.

        A decoder would take a tag in the first frame for one of the run, and needs two frames.
        """
        form = self.form
        if form is None:
            return
        self.length_samples = 0
        chunk = bytearray(muted(self._data[:4].ljust(form.length_bytes, b"\0"), form))
        while self.form is not None and self.form.continues(form):
            chunk += self._data
            self.length_samples += form.length_samples
            if len(chunk) >= _CHUNK_BYTES:
                yield bytes(chunk)
                chunk.clear()
            self._read_next()
        yield bytes(chunk)

    def _read_next(self) -> None:
        self.form, self._data = next(self._frames, (None, b""))


class _RunDecoder:
    """Decoder of one run, and the thread that feeds it."""

    def __init__(self, runs: _Runs, path: Path) -> None:
        form = runs.form
        assert form is not None, "a run has frames"  # noqa: S101
        self.sample_rate, self.channels = form.sample_rate, form.channels
        self._runs, self._path = runs, path
        self._silence_samples = form.length_samples
        self._feeder = _FeederPipe(runs.chunks())
        try:
            self._file = ForwardOnly(self._feeder.read_end)
        except soundfile.LibsndfileError as error:
            os.close(self._feeder.read_end)
            self._feeder.join()
            raise self._error(error) from error

    def blocks(self) -> Iterator[Block]:
        """Yield float32 arrays of shape `(samples, channels)`, without the leading silence."""
        count, size = -self._silence_samples, block_samples(self.sample_rate, self.channels)
        while True:
            try:
                block = self._file.read(size, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                raise self._error(error) from error
            if not len(block):
                break
            yield block[max(0, -count) :]
            count += len(block)
        self._feeder.join()
        if self._feeder.error is not None or count != self._runs.length_samples:
            raise self._error(f"{count} of {self._runs.length_samples} samples were decoded")

    def close(self) -> None:
        """Close the decoder and end the thread."""
        self._file.close()
        self._feeder.join()

    def _error(self, reason: object) -> MashupError:
        if self._feeder.error is not None:
            return cannot_read(self._path, self._feeder.error)
        return UnsupportedAudio(f"{self._path}: cannot decode: {reason}")


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
