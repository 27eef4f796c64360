"""MP3, waveform and spectrogram of an audio file, from one pass in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2
from typing import TYPE_CHECKING

import numpy as np
import soundfile as sf
import torch
from torchaudio.transforms import MelSpectrogram

from mashup_worker.errors import UnsupportedAudio
from mashup_worker.report.mp3 import mp3_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    Floats = NDArray[np.float32]

COLUMNS = 1000
"""Largest number of columns in a picture: about one per pixel of a wide page."""

MELS = 96
HIGHEST_HZ = 16_000.0
LOWEST_HZ = 30.0

BLOCK_SAMPLES = 1 << 18


@dataclass(frozen=True, eq=False)
class TrackMedia:
    """Sound and pictures of a track.

    The MP3 file has a header that lets players remove the encoder's padding, so that it decodes to
    the length of the track. Extremes and RMS have shape `(columns,)`, mean mel power `(bands,
    columns)`, low bands first.
    """

    mp3: bytes
    low: Floats
    high: Floats
    rms: Floats
    mel_power: Floats


class MediaCollector:
    """Collector of waveform extremes and mel power of a mono signal in blocks.

    Signals of one sample rate and duration have the same columns, so that their pictures align.
    """

    def __init__(self, sample_rate: int, duration_s: float) -> None:
        length = max(1, round(duration_s * sample_rate))
        column = ceil(length / COLUMNS)
        frames = max(1, round(column / (sample_rate * 0.012)))
        self.hop = ceil(column / frames)
        self.column_samples = self.hop * frames
        self.columns = ceil(length / self.column_samples)
        fft = max(2 ** round(log2(sample_rate * 0.046)), 1 << (self.hop - 1).bit_length())
        self._mel = MelSpectrogram(
            sample_rate=sample_rate,
            n_fft=fft,
            hop_length=self.hop,
            f_min=LOWEST_HZ,
            f_max=min(HIGHEST_HZ, sample_rate / 2),
            n_mels=MELS,
            center=False,
        )
        self._tail = torch.zeros(fft - self.hop)
        self._filled = 0
        self.low, self.high, self.rms = np.zeros((3, self.columns), np.float32)
        self.mel_power = np.zeros((MELS, self.columns), np.float32)

    def add(self, mono: Floats) -> None:
        """Add the next samples; only the last block may end inside a column."""
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


def read_track(path: Path, duration_s: float) -> TrackMedia:
    """Read an audio file once and return its sound and pictures for a page.

    `duration_s` is the time span of the pictures, the same for all tracks of a song. More than two
    channels are averaged to one.

    Raises:
        UnsupportedAudio: the file is missing, or libsndfile cannot read it.
    """
    try:
        with sf.SoundFile(path) as file:
            return _read(file, duration_s)
    except sf.LibsndfileError as error:
        raise UnsupportedAudio(f"{path}: {error.error_string}") from error


def _read(file: sf.SoundFile, duration_s: float) -> TrackMedia:
    collector = MediaCollector(file.samplerate, duration_s)
    columns_per_block = ceil(BLOCK_SAMPLES / collector.column_samples)
    channels = file.channels if file.channels <= 2 else 1

    def blocks() -> Iterator[Tensor]:
        size = columns_per_block * collector.column_samples
        for block in file.blocks(size, dtype="float32", always_2d=True):
            np.nan_to_num(block, copy=False, posinf=0.0, neginf=0.0)
            mono = block.mean(axis=1)
            collector.add(mono)
            yield torch.from_numpy((block if channels == file.channels else mono[:, None]).T)

    mp3 = mp3_of(blocks(), file.samplerate, channels)
    return TrackMedia(mp3, collector.low, collector.high, collector.rms, collector.mel_power)
