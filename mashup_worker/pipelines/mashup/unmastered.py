"""File of a mashup before mastering, to compare both at equal loudness."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mashup_worker.audio.encode import open_writer
from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.dither import dithered
from mashup_worker.dsp.loudness import integrated_lufs

if TYPE_CHECKING:
    from pathlib import Path

_FORMAT = EncodeOptions("flac")


@dataclass(frozen=True, eq=False, kw_only=True)
class Unmastered:
    """Mashup before mastering, as its file has it.

    Attributes:
        loudness_lufs: integrated loudness of the file; None where it is undefined.
        elapsed_s: time that the file took.
    """

    path: Path
    audio: Audio = field(repr=False)
    loudness_lufs: float | None
    elapsed_s: float


def write_unmastered(mix: Audio, target: Path, *, seed: int) -> Unmastered:
    """Write a mix as FLAC with 16 bits and dither; one beyond full scale is lowered to it.

    Args:
        mix: mix on any device.
        target: file to write.
        seed: seed of the dither.

    Raises:
        StorageFailed: the file cannot be written.
    """
    start_s = time.perf_counter()
    samples = mix.samples.cpu()
    peak, limit = float(samples.abs().max()), 1.0 - 2.0 ** (2 - _FORMAT.bit_depth)  # and dither
    audio = Audio(samples * (limit / peak) if peak > limit else samples, mix.sample_rate)
    with open_writer(
        target, _FORMAT, sample_rate=audio.sample_rate, channels=audio.channels
    ) as writer:
        writer.write(dithered(audio.samples, _FORMAT.bit_depth, seed))
    return Unmastered(
        path=target,
        audio=audio,
        loudness_lufs=integrated_lufs(audio),
        elapsed_s=time.perf_counter() - start_s,
    )
