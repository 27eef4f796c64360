"""Opening of audio files with the decoder that fits, and reading of their headers."""

from __future__ import annotations

from contextlib import closing, suppress
from typing import TYPE_CHECKING

from mashup_worker.audio.ffmpeg import FfmpegSource, demuxer_of, ffmpeg_found
from mashup_worker.audio.mpeg_source import MpegSource
from mashup_worker.audio.sndfile import SndfileSource
from mashup_worker.audio.source import AudioInfo, PcmSource, check_form, regular_file_size
from mashup_worker.errors import UnsupportedAudio

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["AudioInfo", "open_source", "probe"]


def probe(path: Path) -> AudioInfo:
    """Read the header of an audio file.

    Raises:
        InvalidInput: the file is missing or empty, or no decoder reads it.
    """
    regular_file_size(path)
    with closing(open_source(path)) as source:
        return source.info


def open_source(path: Path) -> PcmSource:
    """Open a file with libsndfile, or with ffmpeg if libsndfile does not read it.

    Raises:
        UnsupportedAudio: no decoder reads the file.
    """
    source = _open(path)
    try:
        check_form(source.info)
    except UnsupportedAudio:
        source.close()
        raise
    return source


def _open(path: Path) -> PcmSource:
    with suppress(UnsupportedAudio):
        return MpegSource(path)
    try:
        return SndfileSource(path)
    except UnsupportedAudio as error:
        unsupported = error
    demuxer = demuxer_of(path)
    if demuxer is None:
        with suppress(UnsupportedAudio):
            return MpegSource(path, anywhere=True)
    if ffmpeg_found():
        try:
            return FfmpegSource(path, demuxer)
        except UnsupportedAudio as error:
            raise (unsupported if demuxer is None else error) from unsupported
    if demuxer is None:
        raise unsupported
    raise UnsupportedAudio(
        f"{path}: only ffmpeg decodes this format ({demuxer}), and it is not on PATH; "
        "install ffmpeg"
    ) from unsupported
