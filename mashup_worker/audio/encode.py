"""Encoding of samples into audio files."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from mashup_worker.audio.song_tags import NO_TAGS
from mashup_worker.audio.tag_writers import write_tags
from mashup_worker.audio.writers import check_form, check_size, open_sink
from mashup_worker.system.files import atomic_path, cannot_write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import Tensor

    from mashup_worker.audio.formats import EncodeOptions
    from mashup_worker.audio.signal import SampleSource
    from mashup_worker.audio.song_tags import SongTags
    from mashup_worker.audio.writers import SampleSink

_PIECE_SAMPLES = 1 << 16
"""libvorbis copies its input to the stack: one long write crashes the process."""


class AudioWriter:
    """Open audio file that samples are appended to."""

    def __init__(self, sink: SampleSink, channels: int) -> None:
        self._sink = sink
        self._channels = channels

    def write(self, samples: Tensor) -> None:
        """Append samples of shape `(channels, samples)`: floats, or integers of `quantized`.

        Floats are rounded to the nearest without dither. The same samples therefore always give
        the same file, and stems add up to the mix within their rounding. Samples beyond
        `EncodeOptions.max_peak` clip.

        Raises:
            StorageFailed: the file cannot be written, for example because the disk is full.
            InvalidInput: the file exceeds the size that its format can hold.
        """
        if samples.shape[0] != self._channels:
            raise ValueError(f"{samples.shape[0]} channels for a file of {self._channels}")
        dtype = torch.float32 if samples.is_floating_point() else samples.dtype
        samples = samples.detach().to("cpu", dtype)
        for start in range(0, samples.shape[1], _PIECE_SAMPLES):
            self._sink.write(samples[:, start : start + _PIECE_SAMPLES])


@contextmanager
def open_writer(
    path: Path, options: EncodeOptions, *, sample_rate: int, channels: int, tags: SongTags = NO_TAGS
) -> Iterator[AudioWriter]:
    """Write an audio file that appears at `path` when the block ends without an exception.

    Missing folders are created. Raises as `encode_into`.
    """
    with (
        atomic_path(path) as temporary,
        encode_into(
            temporary, path, options, sample_rate=sample_rate, channels=channels, tags=tags
        ) as writer,
    ):
        yield writer


@contextmanager
def encode_into(
    temporary: Path,
    target: Path,
    options: EncodeOptions,
    *,
    sample_rate: int,
    channels: int,
    tags: SongTags = NO_TAGS,
) -> Iterator[AudioWriter]:
    """Write a new audio file with tags at `temporary`, which the caller renames to `target`.

    MP3 supports 8, 11.025, 12, 16, 22.05, 24, 32, 44.1 and 48 kHz. Lower rates are converted to
    the next of these, higher rates to 44.1 kHz if it divides them and to 48 kHz otherwise.

    Raises:
        StorageFailed: the file cannot be written; the message names `target`.
        InvalidInput: the format does not support the sample rate or channel count.
    """
    with open_sink(temporary, target, options, sample_rate=sample_rate, channels=channels) as sink:
        yield AudioWriter(sink, channels)
    if not tags.is_empty:
        try:
            with temporary.open("r+b") as file:
                write_tags(file, options.format, tags)
        except OSError as error:
            raise cannot_write(target, error) from error


def check_fits(target: Path, sound: SampleSource, options: EncodeOptions) -> None:
    """Check that a format can hold a sound, before any work is spent on it.

    Args:
        target: file that errors name.
        sound: sound of the same sample rate, channel count and length.
        options: format of the file.

    Raises:
        InvalidInput: the format does not support the sample rate or channel count, or the sound
            is too long for it.
    """
    check_form(target, options, sample_rate=sound.sample_rate, channels=sound.channels)
    check_size(target, sound.length_samples * sound.channels, options)
