"""FLAC files with an index of their frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soundfile

from mashup_worker.audio.frame_index import index_file

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Samples = NDArray[np.float32]


def noise(samples: int, channels: int = 2, seed: int = 0, level: float = 0.2) -> Samples:
    """Return noise, in which no two places are alike; shape `(samples, channels)`."""
    generator = np.random.default_rng(seed)
    audio: Samples = generator.uniform(-level, level, (samples, channels)).astype(np.float32)
    return audio


def tone(samples: int, frequency_hz: float, rate: int, level: float = 0.2) -> Samples:
    """Return a sine of one channel; shape `(samples, 1)`."""
    phase = 2 * np.pi * frequency_hz / rate * np.arange(samples)
    audio: Samples = (level * np.sin(phase)).astype(np.float32)
    return audio[:, None]


def write(path: Path, audio: Samples, rate: int = 44_100, subtype: str = "PCM_16") -> Samples:
    """Write a FLAC file and its index, and return the samples as the file has them."""
    soundfile.write(path, audio, rate, subtype, format="FLAC")
    path.with_suffix(".json").write_bytes(index_file(path).as_json())
    stored, _ = soundfile.read(path, dtype="float32", always_2d=True)
    return np.asarray(stored)
