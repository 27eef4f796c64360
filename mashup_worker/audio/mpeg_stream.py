"""Division of an MPEG audio file into frames that can be decoded.

Files are joined, cut anywhere, and damaged. A decoder that gets the frame after a gap decodes it
with the wrong bit reservoir, which makes a burst of noise. This module follows the frames, skips
all other bytes, and mutes frames whose data is incomplete, so that the rest stays in its place. The
number of frames equals that of ffmpeg, which loses the frame behind unknown bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from mashup_worker.audio.mpeg import HEADER_BYTES, LAYER_3, main_data, muted, parse_header
from mashup_worker.audio.mpeg_tag import StreamTag, parse_tag
from mashup_worker.audio.tags import after_id3, is_padding, starts_with_tag

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mashup_worker.audio.descriptors import BufferedReader
    from mashup_worker.audio.mpeg import FrameHeader

_SYNC = re.compile(rb"\xff[\xe2-\xff][\x10-\xef]")
_SEARCH_BYTES = 1 << 16
_SEARCHED_FOR_START_BYTES = 1 << 20
_RESERVOIR_BYTES = 511

_SURE_FRAMES = 4
"""Consecutive frames that identify MPEG audio behind unknown bytes."""

_ZERO_RUN = bytes(24)
"""Zeros that the data of a frame does not contain: the codes for silence contain ones."""

_OTHERS = (b"fLaC", b"RIFF", b"OggS", b"FORM")
"""Formats that may follow an ID3 tag too."""

_CONCATENATED_SHARE = 16
"""ffmpeg ignores the counts of a tag if the file is larger by more than one part in 16."""


class Frame(NamedTuple):
    """Frame of a stream.

    Attributes:
        header: its header.
        data: its bytes; fewer than the header declares at the end of a cut file.
        junk: bytes between it and the next frame; empty for the last frame.
    """

    header: FrameHeader
    data: bytes
    junk: bytes


@dataclass
class Gap:
    """Place where data is missing.

    Attributes:
        at_s: time in the decoded stream.
        muted_s: duration of the silence in its place.
    """

    at_s: float
    muted_s: float = 0.0


class MpegStream:
    """Frames of an MPEG audio file.

    Args:
        reader: the file.
        anywhere: whether to search the first frame behind unknown bytes too.

    Attributes:
        first: header of the first frame; None if the file is not MPEG audio.
        tag: contents of the tag frame, which is not one of the frames; None without one.
        is_cut: whether the last frame is incomplete; valid after the iteration.
        gaps: places where data is missing, found so far.
        frames: number of frames so far.
        lost_frames: frames so far that are missing, so that the padding comes earlier.
    """

    def __init__(self, reader: BufferedReader, *, anywhere: bool = False) -> None:
        self._reader = reader
        self.tag: StreamTag | None = None
        self.is_cut = False
        self.gaps: list[Gap] = []
        self.frames = 0
        self.lost_frames = 0
        self._time_s = 0.0
        self._gap: Gap | None = None
        self._start = after_id3(reader)
        self.first = self._header(self._start)
        if self.first is None or not self._chain(self._start, self.first, 2):
            is_likely = anywhere or self.first is not None or self._start > 0
            is_likely = is_likely and reader.read(self._start, 4) not in _OTHERS
            self._start, self.first = self._find_start() if is_likely else (0, None)
        elif tag := parse_tag(reader.read(self._start, self.first.length_bytes), self.first):
            self.tag = self._trusted(tag)
            self._start += self.first.length_bytes
            self.first = self._header(self._start)
            if self.first is None:
                self._start, self.first = self._find(self._start, reader.size)

    @property
    def removed(self) -> tuple[range, range]:
        """Decoded samples that are no audio, by the tag: before the audio and behind it."""
        if self.tag is None or self.first is None:
            return range(0), range(0)
        padding = self.tag.padding(self.first.length_samples)
        lost = self.lost_frames * self.first.length_samples
        return range(self.tag.skipped_samples), range(padding.start - lost, padding.stop - lost)

    @property
    def declared_samples(self) -> int | None:
        """Length of the audio that the tag declares."""
        if self.tag is None or self.first is None or not self.tag.frames:
            return None
        return self.tag.length_samples(self.first.length_samples)

    @property
    def missing_frames(self) -> int:
        """Frames that the tag declares and that were not found."""
        return 0 if self.tag is None else self.tag.frames - self.frames

    def __iter__(self) -> Iterator[tuple[FrameHeader, bytes]]:
        """Yield whole frames, muted where their data is missing."""
        reservoir, form, is_torn, is_lost = b"", self.first, False, False
        for frame in self._scan():
            header, data, junk = frame
            if form is None or not header.continues(form):
                reservoir, form = b"", header
            is_whole, is_given = self._is_whole(frame, reservoir), True
            if is_lost:
                # ffmpeg loses this frame. It stands in for the frame before it if that is torn.
                is_whole, is_given, is_torn = False, is_torn, False
                self.lost_frames += 1
            elif junk and not is_padding(junk) and not starts_with_tag(junk):
                is_whole, is_given, is_torn = False, False, True
            self._note(header, is_whole=is_whole, is_given=is_given)
            if is_given:
                data = data.ljust(header.length_bytes, b"\0")
                yield header, data if is_whole else muted(data, header, len(reservoir))
            if not junk:
                reservoir = (reservoir + data[header.main_data_at :])[-_RESERVOIR_BYTES:]
                reservoir, is_lost = reservoir if is_given else b"", False
            else:
                reservoir, is_lost = b"", not is_padding(junk)

    def _is_whole(self, frame: Frame, reservoir: bytes) -> bool:
        """Return whether the data of a frame is complete."""
        header, data = frame.header, frame.data
        if len(data) < header.length_bytes:
            self.is_cut = True
        if header.family[1] != LAYER_3:
            return len(data) == header.length_bytes
        start = header.main_data_at
        if len(data) < start:
            return False
        needed = main_data(data, header)
        if not needed.is_valid or needed.reservoir_bytes > len(reservoir) or needed.end > len(data):
            return False
        earlier = reservoir[len(reservoir) - needed.reservoir_bytes :]
        return _ZERO_RUN not in earlier + data[start : max(start, needed.end)]

    def _note(self, header: FrameHeader, *, is_whole: bool, is_given: bool) -> None:
        """Count a frame, and record the gap that it belongs to."""
        if is_whole:
            self._gap = None
        elif self._gap is None:
            self._gap = Gap(self._time_s)
            self.gaps.append(self._gap)
        if is_given:
            duration_s = header.length_samples / header.sample_rate
            self.frames += 1
            self._time_s += duration_s
            if self._gap is not None:
                self._gap.muted_s += duration_s

    def _scan(self) -> Iterator[Frame]:
        position, header = self._start, self.first
        while header is not None:
            data = self._reader.read(position, header.length_bytes)
            end = position + header.length_bytes
            following = self._header(end)
            position = end
            if following is None or not (
                following.continues(header) or self._chain(end, following, 2)
            ):
                position, following = self._find(end, self._reader.size, header)
            has_junk = following is not None and position > end
            yield Frame(header, data, self._read(end, position) if has_junk else b"")
            header = following

    def _read(self, start: int, stop: int) -> bytes:
        return self._reader.read(start, stop - start)

    def _header(self, position: int) -> FrameHeader | None:
        return parse_header(self._reader.read(position, HEADER_BYTES))

    def _chain(self, position: int, header: FrameHeader, frames: int) -> bool:
        """Return whether this many frames of one form follow each other, or reach the end."""
        for _ in range(frames - 1):
            position += header.length_bytes
            following = self._header(position)
            if following is None or not following.continues(header):
                return position == self._reader.size or self._read(position, position + 3) == b"TAG"
            header = following
        return True

    def _find(
        self, start: int, stop: int, known: FrameHeader | None = None
    ) -> tuple[int, FrameHeader | None]:
        """Return the next frame that others follow: one if it continues `known`, else three."""
        for window in range(start, stop, _SEARCH_BYTES):
            chunk = self._read(window, min(stop, window + _SEARCH_BYTES) + HEADER_BYTES - 1)
            for sync in _SYNC.finditer(chunk, 0, _SEARCH_BYTES + 2):
                position = window + sync.start()
                header = self._header(position)
                if header is not None:
                    is_known = known is not None and header.continues(known)
                    if self._chain(position, header, 2 if is_known else _SURE_FRAMES):
                        return position, header
        return self._reader.size, None

    def _find_start(self) -> tuple[int, FrameHeader | None]:
        # A tag may state a size that is too large, so the search starts inside it.
        stop = min(self._start, self._reader.size) + _SEARCHED_FOR_START_BYTES
        return self._find(0, min(stop, self._reader.size))

    def _trusted(self, tag: StreamTag) -> StreamTag:
        """Return a tag without counts that belong to the first of several joined files."""
        behind = self._reader.size - self._start - HEADER_BYTES - tag.audio_bytes
        if tag.audio_bytes and behind > tag.audio_bytes // _CONCATENATED_SHARE:
            return replace(tag, frames=0, padding_samples=0)
        return tag
