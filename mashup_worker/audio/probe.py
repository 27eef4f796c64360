"""What is in a file, without decoding it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from mashup_worker.audio.ffmpeg import FfmpegSource, demuxer_of, ffmpeg_found
from mashup_worker.audio.sndfile import SndfileSource
from mashup_worker.audio.source import AudioInfo, PcmSource, check_form, regular_file_size
from mashup_worker.errors import UnsupportedAudio

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["AudioInfo", "open_source", "probe"]


def probe(path: Path) -> AudioInfo:
    """Read the header of an audio file.

    Raises:
        InvalidInput: no file, an empty one, or one that can't be decoded here.
    """
    regular_file_size(path)
    with closing(open_source(path)) as source:
        return source.info


def open_source(path: Path) -> PcmSource:
    """Open a file with libsndfile or, where that can't, with ffmpeg.

    Raises:
        UnsupportedAudio: neither decodes the file.
    """
    source = _open(path)
    try:
        check_form(source.info)
    except UnsupportedAudio:
        source.close()
        raise
    return source


def _open(path: Path) -> PcmSource:
    try:
        return SndfileSource(path)
    except UnsupportedAudio as error:
        demuxer = demuxer_of(path)
        if demuxer is None:
            raise
        if not ffmpeg_found():
            raise UnsupportedAudio(
                f"{path} needs ffmpeg to be decoded ({demuxer} format), and ffmpeg is not on PATH"
            ) from error
    return FfmpegSource(path, demuxer)
