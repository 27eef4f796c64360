"""Decoding of audio files into samples."""

from __future__ import annotations

import logging
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
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Self

    from torch import Tensor

logger = logging.getLogger(__name__)

LOUDEST = 1e6
"""120 dB above full scale: no recording reaches it, and its square still fits float32."""

_NO_LIMITS = DecodeLimits()


class Decoder:
    """Open audio file that is decoded block by block, as mono or stereo.

    Use it as a context manager; `blocks` runs once.

    Attributes:
        info: contents of the header.
        non_finite_samples: number of values replaced by 0 so far, because they were NaN, infinite
            or more than 120 dB above full scale.
    """

    def __init__(self, path: Path, limits: DecodeLimits = _NO_LIMITS) -> None:
        limits.check_file(path, regular_file_size(path))
        self._limits = limits
        self._source = open_source(path)
        self.info = self._source.info
        self.non_finite_samples = 0

    @property
    def sample_rate(self) -> int:
        """Samples a second."""
        return self.info.sample_rate

    @property
    def source_channels(self) -> int:
        """Channels in the file."""
        return self.info.channels

    @property
    def channels(self) -> int:
        """Channels of the decoded blocks: 1 for mono files, 2 for all others."""
        return min(self.info.channels, 2)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Missing and ignored parts of the file, with times; complete after the last block."""
        return self._source.warnings

    def blocks(self) -> Iterator[Tensor]:
        """Decode, about a second at a time.

        Yields:
            Float32 tensors of shape `(channels, samples)`.

        Raises:
            TooLong, TooLarge: the audio exceeds a limit.
            UnsupportedAudio: the file is damaged, or shorter than its header declares.
            InvalidInput: the file contains no audio.
        """
        count = 0
        for block in self._source.blocks():
            count += len(block)
            self._limits.check_decoded(
                self.info.path, count, self.source_channels, self.sample_rate
            )
            if len(block) and not -LOUDEST <= block.min() <= block.max() <= LOUDEST:
                bad = ~(np.abs(block) <= LOUDEST)
                self.non_finite_samples += int(bad.sum())
                block = np.where(bad, np.float32(0), block)
            samples = torch.from_numpy(np.ascontiguousarray(block.T))
            yield fold_to_stereo(samples, self.info.speakers)
        if not count:
            raise InvalidInput(f"{self.info.path}: no audio in this file")

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_decoder(path: Path, limits: DecodeLimits = _NO_LIMITS) -> Decoder:
    """Open an audio file: WAV, FLAC, Ogg Vorbis, Opus, MP3, AIFF, CAF, or a format of ffmpeg.

    More than two channels are folded to stereo (see `channels`).

    Raises:
        InvalidInput: the file is missing or empty.
        UnsupportedAudio: no decoder reads the file.
        TooLarge: the file exceeds the limit in bytes.
    """
    return Decoder(path, limits)


def decode(
    path: Path, limits: DecodeLimits = _NO_LIMITS, on_warning: Callable[[str], None] | None = None
) -> Audio:
    """Decode a whole file into memory. Raises as `open_decoder` and `Decoder.blocks`.

    Args:
        path: the file.
        limits: limits of the decoding.
        on_warning: called with each of `Decoder.warnings`; they are logged when None.
    """
    with open_decoder(path, limits) as decoder:
        audio = Audio(torch.cat(list(decoder.blocks()), dim=1), decoder.sample_rate)
        for warning in decoder.warnings:
            if on_warning is None:
                logger.warning("%s: %s", path, warning)
            else:
                on_warning(warning)
    return audio


def decode_warned(path: Path, limits: DecodeLimits = _NO_LIMITS) -> tuple[Audio, list[str]]:
    """Decode as `decode`; return the warnings too, each after the path."""
    warnings: list[str] = []
    audio = decode(path, limits, warnings.append)
    return audio, [f"{path}: {warning}" for warning in warnings]
