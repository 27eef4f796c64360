"""Samples into sound files."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

from mashup_worker.audio.atomic import atomic_path
from mashup_worker.audio.writers import check_form, check_size, open_sink
from mashup_worker.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import Tensor

    from mashup_worker.audio.writers import SampleSink

Format = Literal["flac", "wav", "mp3", "ogg"]

_BIT_DEPTHS = {"flac": (16, 24), "wav": (16, 24, 32), "mp3": (16,), "ogg": (16,)}

MP3_BITRATES_KBPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)

VORBIS_BITRATES_KBPS = range(64, 501)

_PIECE_SAMPLES = 1 << 16
"""libvorbis takes its input on the stack: one long write crashes the process."""


@dataclass(frozen=True)
class EncodeOptions:
    """How sound is written.

    Attributes:
        format: `"flac"`, `"wav"`, `"mp3"` or `"ogg"` (Vorbis).
        bit_depth: 16 or 24, integer; 32, float, for WAV only. MP3 and Vorbis have no bit depth
            and take the default.
        bitrate_kbps: for MP3 constant, for Vorbis the nominal rate of a stereo stream at
            44.1 kHz; 256 when None. MP3 below 32 kHz takes at most 160, below 16 kHz at most 64.

    Raises:
        InvalidInput: a format, depth or bitrate that doesn't exist, or not together.
    """

    format: Format = "flac"
    bit_depth: int = 16
    bitrate_kbps: int | None = None

    def __post_init__(self) -> None:
        if self.format not in _BIT_DEPTHS:
            raise InvalidInput(f"format {self.format!r}: choose {_or(_BIT_DEPTHS)}")
        depths = _BIT_DEPTHS[self.format]
        if self.bit_depth not in depths:
            if len(depths) == 1:
                raise InvalidInput(f"{self.format} has no bit depth to choose")
            raise InvalidInput(
                f"bit depth {self.bit_depth} for {self.format}: choose {_or(depths)}"
            )
        if self.bitrate_kbps is None:
            return
        if self.format not in ("mp3", "ogg"):
            raise InvalidInput(f"{self.format} has no bitrate to choose; mp3 and ogg have")
        if self.format == "mp3" and self.bitrate_kbps not in MP3_BITRATES_KBPS:
            raise InvalidInput(
                f"bitrate {self.bitrate_kbps} for mp3: choose {_or(MP3_BITRATES_KBPS)}"
            )
        if self.format == "ogg" and self.bitrate_kbps not in VORBIS_BITRATES_KBPS:
            first, last = VORBIS_BITRATES_KBPS[0], VORBIS_BITRATES_KBPS[-1]
            raise InvalidInput(f"bitrate {self.bitrate_kbps} for ogg: choose {first} to {last}")

    @property
    def is_float(self) -> bool:
        """Whether samples beyond full scale survive."""
        return self.bit_depth == 32


def integer_peak_limit(options: EncodeOptions) -> float | None:
    """The greatest absolute sample that is written without clipping; None where any is.

    MP3 is encoded from 16-bit samples. Vorbis holds more than 1, but its decoders clip there.
    """
    if options.is_float:
        return None
    if options.format == "ogg":
        return 1.0
    return 1.0 - 2.0 ** (1 - options.bit_depth)


class AudioWriter:
    """An open sound file that grows at the end."""

    def __init__(self, sink: SampleSink, channels: int) -> None:
        self._sink = sink
        self._channels = channels

    def write(self, samples: Tensor) -> None:
        """Add float samples of shape `(channels, samples)` at the end.

        Integers are rounded to the nearest, without dither, so that the same samples always give
        the same file and stems still add up to the mix within their rounding. What lies beyond
        `integer_peak_limit` is clamped there: give all stems a shared gain first.

        Raises:
            StorageFailed: the disk is full, or the file can't be written.
            InvalidInput: the format can't hold so much.
        """
        if samples.shape[0] != self._channels:
            raise ValueError(f"{samples.shape[0]} channels for a file of {self._channels}")
        samples = samples.detach().to("cpu", torch.float32)
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


def _or(choices: object) -> str:
    *most, last = map(str, choices)  # type: ignore[call-overload]
    return f"{', '.join(most)} or {last}"
