"""Samples into sound files."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from mashup_worker.system.files import atomic_path
from mashup_worker.audio.writers import check_form, check_size, open_sink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import Tensor

    from mashup_worker.audio.formats import EncodeOptions
    from mashup_worker.audio.writers import SampleSink

_PIECE_SAMPLES = 1 << 16
"""libvorbis takes its input on the stack: one long write crashes the process."""


class AudioWriter:
    """An open sound file that grows at the end."""

    def __init__(self, sink: SampleSink, channels: int) -> None:
        self._sink = sink
        self._channels = channels

    def write(self, samples: Tensor) -> None:
        """Add samples of shape `(channels, samples)` at the end, or integers of `quantized`.

        Floats are rounded to the nearest, without dither, so that the same samples always give
        the same file and stems still add up to the mix within their rounding. What lies beyond
        `integer_peak_limit` is clamped there: give all stems a shared gain first.

        Raises:
            StorageFailed: the disk is full, or the file can't be written.
            InvalidInput: the format can't hold so much.
        """
        if samples.shape[0] != self._channels:
            raise ValueError(f"{samples.shape[0]} channels for a file of {self._channels}")
        dtype = torch.float32 if samples.is_floating_point() else samples.dtype
        samples = samples.detach().to("cpu", dtype)
        for start in range(0, samples.shape[1], _PIECE_SAMPLES):
            self._sink.write(samples[:, start : start + _PIECE_SAMPLES])


@contextmanager
def open_writer(
    path: Path, rate_hz: int, channels: int, options: EncodeOptions
) -> Iterator[AudioWriter]:
    """Write a sound file that appears at `path` once the block ends, and never half-written.

    The folder is made if need be. Raises as `encode_into`.
    """
    with (
        atomic_path(path) as temporary,
        encode_into(temporary, path, rate_hz, channels, options) as writer,
    ):
        yield writer


@contextmanager
def encode_into(
    temporary: Path, target: Path, rate_hz: int, channels: int, options: EncodeOptions
) -> Iterator[AudioWriter]:
    """Write a new sound file at `temporary`, which the caller will rename to `target`.

    MP3 exists only at 8, 11.025, 12, 16, 22.05, 24, 32, 44.1 and 48 kHz: other rates are
    converted, those above to 44.1 kHz where that divides them and to 48 kHz otherwise, the rest
    to the next one up.

    Raises:
        StorageFailed: the folder can't be written, or the disk is full; names `target`.
        InvalidInput: the format can't hold this rate or number of channels.
    """
    with open_sink(temporary, target, rate_hz, channels, options) as sink:
        yield AudioWriter(sink, channels)


def check_fits(
    target: Path, length_samples: int, rate_hz: int, channels: int, options: EncodeOptions
) -> None:
    """Make sure, before the work that fills it, that the format can hold a sound of this form.

    Args:
        target: the file, which only errors name.
        length_samples: samples a channel.
        rate_hz: samples a second.
        channels: number of channels.
        options: how the sound would be written.

    Raises:
        InvalidInput: too many channels, a rate the format doesn't know, or too long for it.
    """
    check_form(target, rate_hz, channels, options)
    check_size(target, length_samples * channels, options)
