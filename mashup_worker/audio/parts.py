"""Parts of a file that libsndfile decodes one by one, without the bytes around them.

libsndfile decodes the first link of an Ogg chain only, and refuses files with bytes before their
header, joined files, and WAV files whose chunks lack padding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.audio.ffmpeg import HEAD_BYTES, demuxer_of_head
from mashup_worker.audio.flac import first_frame, next_stream
from mashup_worker.audio.ogg import ogg_links
from mashup_worker.audio.riff import wave_chunks
from mashup_worker.audio.tags import after_id3

if TYPE_CHECKING:
    from mashup_worker.audio.descriptors import BufferedReader
    from mashup_worker.audio.flac import LostStart
    from mashup_worker.audio.ogg import OggLink
    from mashup_worker.audio.riff import WaveChunks

_SEARCHED_BYTES = 1 << 16
"""ffmpeg searches as far for the start of a file."""


@dataclass(frozen=True)
class Part:
    """Part of a file that libsndfile decodes.

    Attributes:
        start, stop: its bytes.
        head: bytes to decode before them.
        link: the same as link of an Ogg chain, if it is one.
    """

    start: int
    stop: int
    head: bytes = b""
    link: OggLink | None = None


@dataclass(frozen=True)
class Parts:
    """Parts of a file.

    Attributes:
        parts: at least one.
        wave: chunks of a WAV file, for the check of the bytes behind them.
        warnings: ignored parts of the file.
    """

    parts: tuple[Part, ...]
    wave: WaveChunks | None = None
    warnings: tuple[str, ...] = ()


def audio_parts(reader: BufferedReader) -> Parts:
    """Return the parts of a file."""
    start, size = after_id3(reader), reader.size
    magic = reader.read(start, 4)
    if magic == b"RIFF" and (wave := wave_chunks(reader, start)) is not None:
        if wave.is_regular and not start and reader.read(wave.end, 4) != b"RIFF":
            return Parts((Part(0, size),), wave)
        parts = [Part(part.start, part.stop, wave.header(part)) for part in wave.data]
        return Parts(tuple(parts) or (Part(start, size),), wave)
    if magic == b".snd":
        # ffmpeg ignores the size in the header.
        head = reader.read(start, min(size, int.from_bytes(reader.read(start + 4, 4), "big")))
        if int.from_bytes(head[8:12], "big") < size - start - len(head):
            head = head[:8] + b"\xff" * 4 + head[12:]
            return Parts((Part(start + len(head), size, head),))
    if magic == b"FORM":
        end = start + 8 + int.from_bytes(reader.read(start + 4, 4), "big")
        return Parts((Part(start, end if reader.read(end, 4) == magic else size),))
    demuxer = demuxer_of_head(reader.read(start, HEAD_BYTES))
    searched = _SEARCHED_BYTES if demuxer is None else 1
    if links := ogg_links(reader, start, start + searched):
        return Parts(tuple(Part(link.start, link.stop, link=link) for link in links))
    found = next_stream(reader, start, min(size, start + searched))
    if found is None and demuxer in (None, "aac"):  # frames of both formats start alike
        lost = first_frame(reader, start)
        if lost is not None:
            return _without_start(reader, start, lost)
    return Parts((Part(min(start, size) if found is None else found, size),))


def _without_start(reader: BufferedReader, start: int, lost: LostStart) -> Parts:
    """Return the part of a FLAC file that starts inside its stream, or behind unknown bytes."""
    found, size = next_stream(reader, start, lost.start), reader.size
    if found is not None:
        return Parts((Part(found, size),))
    warning = (
        "the start of the FLAC stream is missing"
        + f"; {lost.start - start:,} bytes before its first frame are ignored"
        * (lost.start > start)
    )
    return Parts((Part(lost.start, size, lost.header),), warnings=(warning,))
