"""Sounds and files shared by the audio tests."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import lameenc
import numpy as np
import pytest
import soundfile
import torch

from mashup_worker.audio.signal import Audio

ffmpeg_found = bool(shutil.which("ffmpeg") and shutil.which("ffprobe"))
needs_ffmpeg = pytest.mark.skipif(not ffmpeg_found, reason="ffmpeg is not installed")


LAYOUTS = {3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""ffmpeg's names for the channel orders of WAV."""


def music(duration_s: float = 1.0, sample_rate: int = 44100, channels: int = 2) -> Audio:
    """Return tones and a little noise, different in each channel, with a peak below 0.8."""
    times = torch.arange(round(duration_s * sample_rate)) / sample_rate
    noise = torch.Generator().manual_seed(7)
    rows = [
        0.3 * torch.sin(2 * torch.pi * (220 + 110 * k) * times)
        + 0.2 * torch.sin(2 * torch.pi * (997 + 31 * k) * times)
        + 0.02 * torch.randn(len(times), generator=noise)
        for k in range(channels)
    ]
    return Audio(torch.stack(rows).float(), sample_rate)


def write(path: Path, audio: Audio, subtype: str = "PCM_16", container: str | None = None) -> Path:
    """Write a file with libsndfile, second by second."""
    container = container or path.suffix[1:].upper()
    form = {"subtype": subtype, "format": container}
    with soundfile.SoundFile(path, "w", audio.sample_rate, audio.channels, **form) as file:
        for block in audio.samples.split(audio.sample_rate, dim=1):
            file.write(block.T.contiguous().numpy())
    return path


def ffmpeg(audio: Audio, path: Path, *options: str) -> Path:
    """Write a file with ffmpeg."""
    layout = LAYOUTS.get(audio.channels)
    form = ["-f", "f32le", "-ar", str(audio.sample_rate), "-ac", str(audio.channels)]
    form += ["-channel_layout", layout] if layout else []
    form += ["-i", "pipe:0"]
    command = ["ffmpeg", "-v", "error", "-y", *form, *options, str(path)]
    subprocess.run(command, input=audio.samples.T.contiguous().numpy().tobytes(), check=True)
    return path


def truncate(path: Path, share: float) -> Path:
    """Cut the end off a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def snr_db(wanted: torch.Tensor, got: torch.Tensor) -> float:
    """Return the signal-to-noise ratio of two tensors of the same shape."""
    noise = (wanted.double() - got.double()).square().sum().item()
    return float(10 * np.log10(wanted.double().square().sum().item() / max(noise, 1e-30)))


def mp3(path: Path, audio: Audio, *, vbr: bool = False) -> Path:
    """Write an MP3 without the tag that holds its length."""
    lame = lameenc.Encoder()
    lame.silence()
    lame.set_channels(audio.channels)
    lame.set_in_sample_rate(audio.sample_rate)
    if vbr:
        lame.set_vbr(lameenc.VBR_MTRH)
        lame.set_vbr_quality(3)
    else:
        lame.set_bit_rate(128)
    pcm = (audio.samples.T * 32767).short().contiguous().numpy()
    path.write_bytes(bytes(lame.encode(pcm.tobytes())) + bytes(lame.flush()))
    return path


def patched(path: Path, chunk: bytes, size: int) -> Path:
    """Change the size in the header of a chunk."""
    data = bytearray(path.read_bytes())
    at = data.index(chunk) + len(chunk)
    data[at : at + 4] = struct.pack("<I", size)
    path.write_bytes(data)
    return path


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
