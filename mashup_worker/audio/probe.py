"""Opening of audio files with the decoder that fits, and reading of their headers."""

from __future__ import annotations

from contextlib import closing, suppress
from typing import TYPE_CHECKING

from mashup_worker.audio.ffmpeg import (
    FfmpegSource,
    demuxer_of,
    demuxer_of_head,
    ffmpeg_found,
    first_bytes,
)
from mashup_worker.audio.mpeg_source import MpegSource
from mashup_worker.audio.sndfile import SndfileSource
from mashup_worker.audio.source import AudioInfo, PcmSource, check_form, regular_file_size
from mashup_worker.errors import InvalidInput, StorageFailed, UnsupportedAudio

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["AudioInfo", "has_audio", "open_source", "probe"]

_SNDFILE_DEMUXERS = ("wav", "ogg", "caf", "aiff")
_SNDFILE_STARTS = ((0, b"fLaC"), (0, b".snd"), (0, b"riff\x2e\x91\xcf\x11"), (8, b"AIFF"))
"""Offset and bytes of containers that libsndfile reads, beside those of `_SNDFILE_DEMUXERS`."""

_IMAGE_BRANDS = (b"avif", b"avis", b"crx ", b"heic", b"heix", b"hevc", b"mif1", b"msf1")
"""Brands of images in the container of MP4."""


def probe(path: Path) -> AudioInfo:
    """Read the header of an audio file.

    Raises:
        InvalidInput: the file is missing or empty, or no decoder reads it.
    """
    regular_file_size(path)
    with closing(open_source(path)) as source:
        return source.info


def has_audio(path: Path) -> bool:
    """Return whether the first bytes of a regular file start a container of audio.

    The name of the file is ignored. No codec runs in this process, because files of folders are
    untrusted; ffprobe lists the streams of containers that may hold images or video alone.
    """
    try:
        regular_file_size(path)
        head = first_bytes(path)
        demuxer = demuxer_of_head(head)
        if demuxer == "mp3":
            with closing(MpegSource(path)) as source:
                # Layer I is unused, but the start of text in UTF-16 is a header of it.
                return source.info.codec != "MPEG_LAYER_I"
        if demuxer is None or demuxer in _SNDFILE_DEMUXERS:
            starts = (head[at:].startswith(magic) for at, magic in _SNDFILE_STARTS)
            return demuxer is not None or any(starts)
        if head[8:12] in _IMAGE_BRANDS or not ffmpeg_found():
            return False
        FfmpegSource(path, demuxer).close()
    except (InvalidInput, StorageFailed):
        return False
    return True


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
