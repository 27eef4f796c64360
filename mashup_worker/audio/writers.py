"""The encoders behind `encode`: libsndfile for FLAC, WAV and Vorbis, LAME for MP3."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import lameenc
import numpy as np
import soundfile
import torch

from mashup_worker.system.files import cannot_write
from mashup_worker.audio.mpeg import FrameReader, info_frame
from mashup_worker.audio.resample import StreamResampler
from mashup_worker.audio.sndfile import ForwardOnly
from mashup_worker.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from numpy.typing import NDArray
    from torch import Tensor

    from mashup_worker.audio.formats import EncodeOptions

_SUBTYPES = {16: "PCM_16", 24: "PCM_24", 32: "FLOAT"}

_WAV_LIMIT_BYTES = (1 << 32) - (1 << 12)

_VORBIS_LIMITS = {"channels": 255, "rate_hz": 200_000}
"""Beyond these, libvorbis crashes the process."""

_DEFAULT_BITRATE_KBPS = 256

_VORBIS_KBPS = (64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 500)
"""Nominal bitrates of libvorbis's qualities 0 to 10, for stereo at 44.1 kHz."""

_MP3_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)

_LAME_QUALITY = 5
"""LAME's own default between 2, careful, and 7, fast."""


class SampleSink(Protocol):
    """Takes samples and turns them into bytes of a file."""

    def write(self, samples: Tensor) -> None:
        """Add samples of shape `(channels, samples)`."""
        ...

    def finish(self) -> None:
        """Write what is left once all samples are in."""
        ...

    def abandon(self) -> None:
        """Give back what the encoder holds, in place of `finish`."""
        ...


@contextmanager
def open_sink(
    temporary: Path, target: Path, rate_hz: int, channels: int, options: EncodeOptions
) -> Iterator[SampleSink]:
    """Encode into `temporary`, a new file; errors name `target`."""
    try:
        # Unbuffered, since a buffer would meet a full disk only when closed.
        raw = temporary.open("x+b", buffering=0)
    except OSError as error:
        raise cannot_write(target, error) from error
    with raw:
        sink = _sink(_WatchedFile(raw, target), rate_hz, channels, options)
        try:
            yield sink
        except BaseException:
            sink.abandon()
            raise
        sink.finish()


def check_form(target: Path, rate_hz: int, channels: int, options: EncodeOptions) -> None:
    """Raise `InvalidInput` where the format can't hold this rate or number of channels."""
    _sink(_WatchedFile(io.BytesIO(), target), rate_hz, channels, options).abandon()


def check_size(target: Path, values: int, options: EncodeOptions) -> None:
    """Raise `InvalidInput` where the format can't hold so many samples of all channels."""
    if options.format == "wav" and values * options.bit_depth // 8 > _WAV_LIMIT_BYTES:
        raise InvalidInput(f"{target}: wav holds 4 GiB at most; choose flac")


def _sink(file: _WatchedFile, rate_hz: int, channels: int, options: EncodeOptions) -> SampleSink:
    kind = _Mp3Sink if options.format == "mp3" else _SndfileSink
    return kind(file, rate_hz, channels, options)


class _WatchedFile:
    """A file that remembers why a write failed, since libsndfile only tells that it did."""

    def __init__(self, raw: BinaryIO, target: Path) -> None:
        self._raw = raw
        self.target = target
        self.error: OSError | None = None
        self.seek = raw.seek
        self.tell = raw.tell
        self.fileno = raw.fileno

    def write(self, data: bytes) -> int:
        done = 0
        try:
            while done < len(data):
                done += self._raw.write(memoryview(data)[done:])
        except OSError as error:
            self.error = error
        return done

    @contextmanager
    def checked(self) -> Iterator[None]:
        """Raise `StorageFailed` if a write in the block failed, whatever the block made of it."""
        try:
            yield
        finally:
            if self.error is not None:
                raise cannot_write(self.target, self.error) from self.error


class _SndfileSink:
    def __init__(
        self, file: _WatchedFile, rate_hz: int, channels: int, options: EncodeOptions
    ) -> None:
        self._file = file
        self._options = options
        self._as_float = options.is_float or options.format == "ogg"
        self._written_values = 0
        subtype, level = _SUBTYPES[options.bit_depth], None
        unfit = InvalidInput(
            f"{file.target}: {options.format} can't hold {channels} channels at {rate_hz} Hz"
        )
        if options.format == "ogg":
            if channels > _VORBIS_LIMITS["channels"] or rate_hz > _VORBIS_LIMITS["rate_hz"]:
                raise unfit
            bitrate = options.bitrate_kbps or _DEFAULT_BITRATE_KBPS
            quality = np.interp(bitrate, _VORBIS_KBPS, np.linspace(0, 1, len(_VORBIS_KBPS)))
            subtype, level = "VORBIS", 1 - float(quality)
        try:
            with file.checked():
                self._sound = ForwardOnly(
                    file,
                    "w",
                    rate_hz,
                    channels,
                    subtype=subtype,
                    format=options.format.upper(),
                    compression_level=level,
                )
        except soundfile.LibsndfileError as error:
            raise unfit from error

    def write(self, samples: Tensor) -> None:
        self._written_values += samples.numel()
        check_size(self._file.target, self._written_values, self._options)
        if self._as_float or not samples.is_floating_point():
            frames = samples.numpy().T
        else:
            frames = quantize(samples, self._options.bit_depth)
        with self._file.checked():
            self._sound.write(frames)

    def finish(self) -> None:
        with self._file.checked():
            self._sound.close()

    def abandon(self) -> None:
        self._sound.close()


class _Mp3Sink:
    def __init__(
        self, file: _WatchedFile, rate_hz: int, channels: int, options: EncodeOptions
    ) -> None:
        if channels > 2:
            raise InvalidInput(f"{file.target}: mp3 can't hold {channels} channels")
        out_rate_hz = _mp3_rate_hz(rate_hz)
        self._file = file
        self._resampler = StreamResampler(rate_hz, out_rate_hz, channels)
        self._nothing = torch.zeros(channels, 0)
        self._length_samples = 0
        self._tag_bytes = 0
        self._first_frame = b""
        self._lame = lameenc.Encoder()
        self._lame.silence()
        self._lame.set_channels(channels)
        self._lame.set_in_sample_rate(out_rate_hz)
        self._lame.set_out_sample_rate(out_rate_hz)
        self._lame.set_bit_rate(options.bitrate_kbps or _DEFAULT_BITRATE_KBPS)
        self._lame.set_quality(_LAME_QUALITY)

    def write(self, samples: Tensor) -> None:
        self._encode(self._resampler.process(samples))

    def finish(self) -> None:
        self._encode(self._resampler.process(self._nothing, last=True))
        if not self._length_samples:
            # There is no MP3 of nothing.
            self._encode(torch.zeros(len(self._nothing), 1))
        self._put(bytes(self._lame.flush()))
        # How much sound there is can only be told now, in the frame kept free for it.
        audio_bytes = self._file.tell() - self._tag_bytes
        frames = sum(1 for _ in FrameReader(self._file.fileno())) - 1
        tag = info_frame(self._first_frame, frames, audio_bytes, self._length_samples)
        self._file.seek(0)
        with self._file.checked():
            self._file.write(tag)

    def abandon(self) -> None:
        pass

    def _encode(self, samples: Tensor) -> None:
        if samples.shape[1]:
            self._length_samples += samples.shape[1]
            self._put(bytes(self._lame.encode(quantize(samples, 16).tobytes())))

    def _put(self, data: bytes) -> None:
        if not self._first_frame and data:
            self._first_frame = data[:4]
            tag = info_frame(self._first_frame, 0, 0, 0)
            self._tag_bytes = len(tag)
            data = tag + data
        with self._file.checked():
            self._file.write(data)


def quantize(samples: Tensor, bit_depth: int) -> NDArray[np.int16] | NDArray[np.int32]:
    """Float samples as integers: rounded to the nearest, clamped at full scale.

    Shape: `(channels, samples)` to `(samples, channels)`.

    Returns:
        int16 for 16 bits; int32 for 24, in its upper 24 bits.
    """
    full_scale = 2.0 ** (bit_depth - 1)
    # Both bounds are exact in float32, up to 24 bits.
    integers = np.ascontiguousarray(samples.numpy().T) * np.float32(full_scale)
    np.clip(np.rint(integers, out=integers), -full_scale, full_scale - 1, out=integers)
    if bit_depth == 16:
        return integers.astype(np.int16)
    return integers.astype(np.int32) << 8


def quantized(samples: Tensor, bit_depth: int) -> Tensor:
    """As `quantize`, on the device of the samples: `(channels, samples)` to the same."""
    full_scale = 2.0 ** (bit_depth - 1)
    integers = (samples * full_scale).round_().clamp_(-full_scale, full_scale - 1)
    if bit_depth == 16:
        return integers.to(torch.int16)
    return integers.to(torch.int32) << 8


def _mp3_rate_hz(rate_hz: int) -> int:
    if rate_hz > _MP3_RATES_HZ[-1]:
        return 44100 if rate_hz % 44100 == 0 else 48000
    return min(rate for rate in _MP3_RATES_HZ if rate >= rate_hz)
