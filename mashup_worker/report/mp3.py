"""MP3 files in memory, for pages that contain their sound."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from mashup_worker.audio.encode import open_writer
from mashup_worker.audio.formats import EncodeOptions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

_MP3 = EncodeOptions("mp3", bitrate_kbps=128)


def mp3_of(blocks: Iterable[Tensor], sample_rate: int, channels: int) -> bytes:
    """Encode blocks of shape `(channels, samples)` as an MP3 file."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "track.mp3")
        with open_writer(path, _MP3, sample_rate=sample_rate, channels=channels) as writer:
            for block in blocks:
                writer.write(block)
        return path.read_bytes()
