"""Files as libsndfile sees them: samples up to damage, speakers, and the length in the header."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from mashup_worker.audio.layouts import default_speakers, sndfile_speakers, vorbis_speakers
from mashup_worker.audio.riff import UNKNOWN_SIZES
from mashup_worker.system.interrupts import deferred_interrupts

if TYPE_CHECKING:
    from mashup_worker.audio.layouts import Speakers
    from mashup_worker.audio.source import Block

_GET_CHANNEL_MAP = 0x1100
"""`SFC_GET_CHANNEL_MAP_INFO` of libsndfile."""

_UNKNOWN_FRAMES = 1 << 48
"""Lengths above this are placeholders of libsndfile for an unknown length."""

_SIZE_IN_LOG = re.compile(r"^\s*(?:data|SSND|riff) : (\d+) \(should be (\d+)\)", re.MULTILINE)
_FRAMES_IN_LOG = re.compile(r"does not match value from 'ds64' chunk of (\d+)")


class ForwardOnly(soundfile.SoundFile):  # type: ignore[misc]
    """File without the seeks that `soundfile` adds to each call; they corrupt Opus and are slow.

    A signal is handled after a call, since libsndfile reads and writes through callbacks.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        with deferred_interrupts():
            super().__init__(*arguments, **options)

    def write(self, data: Any) -> None:
        """Write samples."""
        with deferred_interrupts():
            super().write(data)

    def close(self) -> None:
        """Write the remaining samples, and close the file."""
        with deferred_interrupts():
            super().close()

    def seekable(self) -> bool:
        """Return False, so that `soundfile` does not seek."""
        return False

    def read_block(self, frames: int) -> tuple[Block, str]:
        """Return the next samples, and the error behind them; no samples at the end.

        `read` would discard the samples before an error.
        """
        block = np.empty((frames, self.channels), np.float32)
        values = soundfile._ffi.cast("float*", block.ctypes.data)
        with deferred_interrupts():
            count = soundfile._snd.sf_readf_float(self._file, values, frames)
        code = soundfile._snd.sf_error(self._file)
        return block[:count], reason(soundfile.LibsndfileError(code)) if code else ""

    def speakers(self) -> Speakers:
        """Return the speaker of each channel."""
        if self.subtype in ("VORBIS", "OPUS"):
            return vorbis_speakers(self.channels)
        channel_map = soundfile._ffi.new("int[]", self.channels)
        size = soundfile._ffi.sizeof(channel_map)
        if not soundfile._snd.sf_command(self._file, _GET_CHANNEL_MAP, channel_map, size):
            return default_speakers(self.channels)
        return sndfile_speakers(list(channel_map))

    def declared_frames(self) -> int | None:
        """Return the samples per channel that the header declares; None if it declares none.

        libsndfile reduces the length of WAV and AIFF to the size of the file; only its log contains
        the size in the header.
        """
        if self.format == "OGG" or self.frames >= _UNKNOWN_FRAMES:
            return None
        log = self.extra_info
        if match := _FRAMES_IN_LOG.search(log):
            return int(match[1])
        if match := _SIZE_IN_LOG.search(log):
            claimed, actual = int(match[1]), int(match[2])
            if any(claimed in sizes for sizes in UNKNOWN_SIZES):
                return None
            if actual:
                return int(self.frames * claimed / actual)
        return int(self.frames)


def reason(error: soundfile.LibsndfileError) -> str:
    """Return the message of libsndfile as part of a sentence."""
    return str(error.error_string).removeprefix("Error : ").rstrip(".").strip().lower()
