"""Sound files into samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from mashup_worker.audio.channels import fold_to_stereo
from mashup_worker.audio.limits import DecodeLimits
from mashup_worker.audio.probe import open_source
from mashup_worker.audio.signal import Audio
from mashup_worker.audio.source import regular_file_size
from mashup_worker.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Self

    from torch import Tensor

LOUDEST = 1e6
"""120 dB above full scale: nothing recorded is there, and squares of it still fit float32."""

_NO_LIMITS = DecodeLimits()


class Decoder:
    """An open sound file whose samples come block by block, as mono or stereo.

    Use it as a context manager; `blocks` runs once.

    Attributes:
        info: what the file says of itself.
        non_finite_samples: values replaced by 0 so far, because they were NaN, infinite or more
            than 120 dB above full scale.
    """

    def __init__(self, path: Path, limits: DecodeLimits = _NO_LIMITS) -> None:
        limits.check_file(path, regular_file_size(path))
        self._limits = limits
        self._source = open_source(path)
        self.info = self._source.info
        self.non_finite_samples = 0

    @property
    def rate_hz(self) -> int:
        """Samples a second."""
        return self.info.rate_hz

    @property
    def source_channels(self) -> int:
        """Channels in the file."""
        return self.info.channels

    @property
    def channels(self) -> int:
        """Channels that come out: 1 for mono, 2 for everything else."""
        return min(self.info.channels, 2)

    def blocks(self) -> Iterator[Tensor]:
        """Decode, about a second at a time.

        Yields:
            Float32 tensors of shape `(channels, samples)`.

        Raises:
            TooLong, TooLarge: a limit is passed.
            UnsupportedAudio: the file is damaged, or ends before its header says.
            InvalidInput: the file holds no sound at all.
        """
        count = 0
        for block in self._source.blocks():
            count += len(block)
            self._limits.check_decoded(self.info.path, count, self.source_channels, self.rate_hz)
            bad = ~(np.abs(block) <= LOUDEST)
            if bad.any():
                self.non_finite_samples += int(bad.sum())
                block = np.where(bad, np.float32(0), block)
            samples = torch.from_numpy(np.ascontiguousarray(block.T))
            yield fold_to_stereo(samples, vorbis_order=self._source.vorbis_order)
        if not count:
            raise InvalidInput(f"{self.info.path} has no audio")

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_decoder(path: Path, limits: DecodeLimits = _NO_LIMITS) -> Decoder:
    """Open a sound file: WAV, FLAC, Ogg Vorbis, Opus, MP3, AIFF, CAF, or what ffmpeg decodes.

    More than two channels are folded to stereo (see `channels`).

    Raises:
        InvalidInput: no file there, or an empty one.
        UnsupportedAudio: not audio, or in a form that nothing here decodes.
        TooLarge: more bytes than the limit.
    """
    return Decoder(path, limits)


def decode(path: Path, limits: DecodeLimits = _NO_LIMITS) -> Audio:
    """Decode a whole file into memory; raises what `open_decoder` and `Decoder.blocks` raise."""
    with open_decoder(path, limits) as decoder:
        return Audio(torch.cat(list(decoder.blocks()), dim=1), decoder.rate_hz)
