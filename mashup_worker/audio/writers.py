"""Encoders behind `encode`: libsndfile for FLAC, WAV and Vorbis, LAME for MP3."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import lameenc
import numpy as np
import soundfile
import torch

from mashup_worker.audio.descriptors import BufferedReader
from mashup_worker.audio.formats import DEFAULT_BITRATE_KBPS
from mashup_worker.audio.libsndfile import ForwardOnly
from mashup_worker.audio.mpeg_stream import MpegStream
from mashup_worker.audio.mpeg_tag import info_frame
from mashup_worker.audio.resample import StreamResampler
from mashup_worker.errors import InvalidInput
from mashup_worker.system.files import cannot_write

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import BinaryIO

    from numpy.typing import NDArray
    from torch import Tensor

    from mashup_worker.audio.formats import EncodeOptions
    from mashup_worker.vocabulary import FormatName

_SUBTYPES = {16: "PCM_16", 24: "PCM_24", 32: "FLOAT"}

_WAV_LIMIT_BYTES = (1 << 32) - (1 << 12)

_VORBIS_MAX_CHANNELS, _VORBIS_MAX_RATE_HZ = 255, 200_000
"""Beyond these, libvorbis crashes the process."""

_VORBIS_KBPS = (64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 500)
"""Nominal bitrates of libvorbis's qualities 0 to 10, for stereo at 44.1 kHz."""

_MP3_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)

_LAME_QUALITY = 5
"""LAME's default, between 2 (careful) and 7 (fast)."""


class SampleSink(Protocol):
    """Encoder that writes samples to an open file."""

    def write(self, samples: Tensor) -> None:
        """Encode samples of shape `(channels, samples)`."""
        ...

    def finish(self) -> None:
        """Write what the encoder holds back; no samples follow."""
        ...

    def abandon(self) -> None:
        """Release the encoder without finishing the file."""
        ...


@contextmanager
def open_sink(
    temporary: Path, target: Path, options: EncodeOptions, *, sample_rate: int, channels: int
) -> Iterator[SampleSink]:
    """Encode into the new file `temporary`; errors name `target`."""
    try:
        # Unbuffered, because a buffer would detect a full disk only when it is closed.
        raw = temporary.open("x+b", buffering=0)
    except OSError as error:
        raise cannot_write(target, error) from error
    with raw:
        sink = _sink(_CheckedFile(raw, target), sample_rate, channels, options)
        try:
            yield sink
        except BaseException:
            sink.abandon()
            raise
        sink.finish()


def check_form(target: Path, options: EncodeOptions, *, sample_rate: int, channels: int) -> None:
    """Raise `InvalidInput` if the format does not support the sample rate or channel count."""
    _sink(_CheckedFile(io.BytesIO(), target), sample_rate, channels, options).abandon()


def check_size(target: Path, values: int, options: EncodeOptions) -> None:
    """Raise `InvalidInput` if the format cannot hold this number of samples over all channels."""
    if options.format == "wav" and values * options.bit_depth // 8 > _WAV_LIMIT_BYTES:
        raise InvalidInput(f"{target}: more than the 4 GiB that wav can hold; choose flac")


class _CheckedFile:
    """File that keeps the error of a failed write, because libsndfile reports only the failure."""

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
        """Raise `StorageFailed` if a write in the block failed, in place of the block's error."""
        try:
            yield
        finally:
            if self.error is not None:
                raise cannot_write(self.target, self.error) from self.error


class _SndfileSink:
    """Encoder of libsndfile for FLAC and WAV."""

    def __init__(
        self, file: _CheckedFile, sample_rate: int, channels: int, options: EncodeOptions
    ) -> None:
        self._file = file
        self._options = options
        self._written_values = 0
        self._sample_rate, self._channels = sample_rate, channels
        subtype, compression_level = self._coding()
        try:
            with file.checked():
                self._sound = ForwardOnly(
                    file,
                    "w",
                    sample_rate,
                    channels,
                    subtype=subtype,
                    format=options.format.upper(),
                    compression_level=compression_level,
                )
        except soundfile.LibsndfileError as error:
            raise _unsupported(file.target, sample_rate, channels, options) from error

    def _coding(self) -> tuple[str, float | None]:
        """Return libsndfile's subtype and compression level."""
        return _SUBTYPES[self._options.bit_depth], None

    def write(self, samples: Tensor) -> None:
        self._written_values += samples.numel()
        check_size(self._file.target, self._written_values, self._options)
        if self._options.encodes_integers and samples.is_floating_point():
            frames = quantize(samples, self._options.bit_depth)
        else:
            frames = samples.numpy().T
        with self._file.checked():
            self._sound.write(frames)

    def finish(self) -> None:
        with self._file.checked():
            self._sound.close()

    def abandon(self) -> None:
        self._sound.close()


class _VorbisSink(_SndfileSink):
    """Encoder of libvorbis, behind libsndfile."""

    def _coding(self) -> tuple[str, float | None]:
        if self._channels > _VORBIS_MAX_CHANNELS or self._sample_rate > _VORBIS_MAX_RATE_HZ:
            raise _unsupported(self._file.target, self._sample_rate, self._channels, self._options)
        bitrate = self._options.bitrate_kbps or DEFAULT_BITRATE_KBPS
        quality = np.interp(bitrate, _VORBIS_KBPS, np.linspace(0, 1, len(_VORBIS_KBPS)))
        return "VORBIS", 1 - float(quality)


class _Mp3Sink:
    """Encoder of LAME."""

    def __init__(
        self, file: _CheckedFile, sample_rate: int, channels: int, options: EncodeOptions
    ) -> None:
        if channels > 2:
            raise _unsupported(file.target, sample_rate, channels, options)
        out_rate_hz = _mp3_rate_hz(sample_rate)
        self._file = file
        self._channels = channels
        self._resampler = StreamResampler(sample_rate, out_rate_hz, channels)
        self._length_samples = 0
        self._tag_bytes = 0
        self._first_frame = b""
        self._lame = lameenc.Encoder()
        self._lame.silence()
        self._lame.set_channels(channels)
        self._lame.set_in_sample_rate(out_rate_hz)
        self._lame.set_out_sample_rate(out_rate_hz)
        self._lame.set_bit_rate(options.bitrate_kbps or DEFAULT_BITRATE_KBPS)
        self._lame.set_quality(_LAME_QUALITY)

    def write(self, samples: Tensor) -> None:
        self._encode(self._resampler.process(samples))

    def finish(self) -> None:
        self._encode(self._resampler.process(torch.zeros(self._channels, 0), last=True))
        if not self._length_samples:
            self._encode(torch.zeros(self._channels, 1))  # an MP3 holds at least one frame
        self._put(bytes(self._lame.flush()))
        # The length is known only now; the tag frame at the start of the file takes it.
        audio_bytes = self._file.tell() - self._tag_bytes
        frames = sum(1 for _ in MpegStream(BufferedReader(self._file.fileno())))
        tag = info_frame(
            self._first_frame,
            frames=frames,
            audio_bytes=audio_bytes,
            length_samples=self._length_samples,
        )
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
            tag = info_frame(self._first_frame, frames=0, audio_bytes=0, length_samples=0)
            self._tag_bytes = len(tag)
            data = tag + data
        with self._file.checked():
            self._file.write(data)


_SINKS: Mapping[FormatName, type[_SndfileSink | _Mp3Sink]] = {
    "flac": _SndfileSink,
    "wav": _SndfileSink,
    "ogg": _VorbisSink,
    "mp3": _Mp3Sink,
}


def _sink(
    file: _CheckedFile, sample_rate: int, channels: int, options: EncodeOptions
) -> SampleSink:
    return _SINKS[options.format](file, sample_rate, channels, options)


def _unsupported(
    target: Path, sample_rate: int, channels: int, options: EncodeOptions
) -> InvalidInput:
    return InvalidInput(
        f"{target}: {options.format} cannot hold {channels} channels at {sample_rate} Hz; "
        "choose another format"
    )


def quantize(samples: Tensor, bit_depth: int) -> NDArray[np.int16] | NDArray[np.int32]:
    """Round float samples to integers and clamp them to full scale.

    Shape: `(channels, samples)` to `(samples, channels)`.

    Returns:
        int16 for 16 bits; int32 for 24 bits, in the upper 24 bits.
    """
    full_scale = 2.0 ** (bit_depth - 1)
    # Both bounds are exact in float32 up to 24 bits.
    integers = np.ascontiguousarray(samples.numpy().T) * np.float32(full_scale)
    np.clip(np.rint(integers, out=integers), -full_scale, full_scale - 1, out=integers)
    if bit_depth == 16:
        return integers.astype(np.int16)
    return integers.astype(np.int32) << 8


def quantized(samples: Tensor, bit_depth: int) -> Tensor:
    """Do as `quantize` on the device of the samples; the shape stays `(channels, samples)`."""
    full_scale = 2.0 ** (bit_depth - 1)
    integers = (samples * full_scale).round_().clamp_(-full_scale, full_scale - 1)
    if bit_depth == 16:
        return integers.to(torch.int16)
    return integers.to(torch.int32) << 8


def _mp3_rate_hz(sample_rate: int) -> int:
    if sample_rate > _MP3_RATES_HZ[-1]:
        return 44100 if sample_rate % 44100 == 0 else 48000
    return min(rate for rate in _MP3_RATES_HZ if rate >= sample_rate)
