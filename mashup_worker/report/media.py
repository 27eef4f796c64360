"""What a page needs of an audio file, from one pass over it in bounded memory."""

from __future__ import annotations

import io
from dataclasses import dataclass
from math import ceil, log2
from typing import TYPE_CHECKING

import numpy as np
import soundfile as sf
import soxr
import torch
from torchaudio.transforms import MelSpectrogram

from mashup_worker.errors import UnsupportedAudio

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

COLUMNS = 1000
"""Columns of a picture, at most: about one a pixel of a wide lane."""

MELS = 96
HIGHEST_HZ = 16_000.0
LOWEST_HZ = 30.0

MP3_RATES_HZ = (32_000, 44_100, 48_000)
MP3_COMPRESSION = 0.5
"""LAME's V5: about 130 kbit/s for dense stereo, far less for sparse stems."""

BLOCK_SAMPLES = 1 << 18


@dataclass(frozen=True, eq=False)
class TrackMedia:
    """A track, ready to be drawn and played.

    Attributes:
        mp3: the sound as an MP3 file whose header lets players cut the encoder's padding, so that
            it decodes to the file's own length.
        low: smallest sample of each column, shape `(columns,)`.
        high: largest sample of each column, shape `(columns,)`.
        rms: root mean square of each column, shape `(columns,)`.
        mel_power: mean power of each mel band and column, shape `(bands, columns)`, low bands
            first.
    """

    mp3: bytes
    low: Floats
    high: Floats
    rms: Floats
    mel_power: Floats


class Pictures:
    """Collects waveform extremes and mel power of a mono signal that comes in blocks.

    All signals of one rate and duration get the same columns, so that their pictures line up.
    """

    def __init__(self, rate_hz: int, duration_s: float) -> None:
        length = max(1, round(duration_s * rate_hz))
        column = ceil(length / COLUMNS)
        frames = max(1, round(column / (rate_hz * 0.012)))
        self.hop = ceil(column / frames)
        self.column_samples = self.hop * frames
        self.columns = ceil(length / self.column_samples)
        fft = max(2 ** round(log2(rate_hz * 0.046)), 1 << (self.hop - 1).bit_length())
        self._mel = MelSpectrogram(
            sample_rate=rate_hz,
            n_fft=fft,
            hop_length=self.hop,
            f_min=LOWEST_HZ,
            f_max=min(HIGHEST_HZ, rate_hz / 2),
            n_mels=MELS,
            center=False,
        )
        self._tail = torch.zeros(fft - self.hop)
        self._filled = 0
        self.low, self.high, self.rms = np.zeros((3, self.columns), np.float32)
        self.mel_power = np.zeros((MELS, self.columns), np.float32)

    def add(self, mono: Floats) -> None:
        """Take the next samples; only the last block may end inside a column."""
        room = (self.columns - self._filled) * self.column_samples
        mono = mono[:room]
        if not len(mono):
            return
        mono = np.pad(mono, (0, -len(mono) % self.column_samples))
        by_column = mono.reshape(-1, self.column_samples)
        now = slice(self._filled, self._filled + len(by_column))
        self.low[now] = by_column.min(axis=1)
        self.high[now] = by_column.max(axis=1)
        self.rms[now] = np.sqrt(np.square(by_column).mean(axis=1))
        signal = torch.cat([self._tail, torch.from_numpy(mono)])
        power = self._mel(signal).reshape(MELS, len(by_column), -1).mean(dim=2)
        self.mel_power[:, now] = power.numpy()
        self._tail = signal[len(signal) - len(self._tail) :]
        self._filled += len(by_column)


class Mp3Writer:
    """Encodes sound that comes in blocks of shape `(samples, channels)`."""

    def __init__(self, rate_hz: int, channels: int) -> None:
        out_hz = rate_hz if rate_hz in MP3_RATES_HZ else MP3_RATES_HZ[-1]
        self._buffer = io.BytesIO()
        self._resampler = soxr.ResampleStream(rate_hz, out_hz, channels, dtype="float32")
        self._file = sf.SoundFile(
            self._buffer,
            "w",
            out_hz,
            channels,
            format="MP3",
            subtype="MPEG_LAYER_III",
            bitrate_mode="VARIABLE",
            compression_level=MP3_COMPRESSION,
        )

    def add(self, block: Floats, *, last: bool = False) -> None:
        """Take the next samples."""
        self._file.write(self._resampler.resample_chunk(block, last=last))

    def finish(self) -> bytes:
        """The whole MP3 file."""
        self._file.close()
        return self._buffer.getvalue()


def read_track(path: Path, duration_s: float) -> TrackMedia:
    """Read an audio file once and keep what a page shows and plays.

    Args:
        path: a file that libsndfile reads. More than two channels are averaged to one.
        duration_s: time that the pictures span, the same for all tracks of a song.

    Raises:
        UnsupportedAudio: the file is missing or not readable as audio.
    """
    try:
        with sf.SoundFile(path) as file:
            return _read(file, duration_s)
    except sf.LibsndfileError as error:
        raise UnsupportedAudio(f"{path}: {error.error_string}") from error


def _read(file: sf.SoundFile, duration_s: float) -> TrackMedia:
    pictures = Pictures(file.samplerate, duration_s)
    channels = file.channels if file.channels <= 2 else 1
    mp3 = Mp3Writer(file.samplerate, channels)
    block_samples = ceil(BLOCK_SAMPLES / pictures.column_samples) * pictures.column_samples
    samples = 0
    for block in file.blocks(block_samples, dtype="float32", always_2d=True):
        np.nan_to_num(block, copy=False, posinf=0.0, neginf=0.0)
        mono = block.mean(axis=1)
        pictures.add(mono)
        mp3.add(block if channels == file.channels else mono[:, None])
        samples += len(block)
    mp3.add(np.zeros((0 if samples else 1, channels), np.float32), last=True)
    return TrackMedia(mp3.finish(), pictures.low, pictures.high, pictures.rms, pictures.mel_power)
