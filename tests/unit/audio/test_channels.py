from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from mashup_worker.audio.channels import fold_to_stereo
from mashup_worker.audio.decode import decode
from mashup_worker.audio.layouts import default_speakers, fold_frames, fold_weights, vorbis_speakers
from mashup_worker.audio.signal import Audio
from tests.unit.audio_fixtures import ffmpeg, needs_ffmpeg, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STANDARD = {
    "L": (1, 0),
    "R": (0, 1),
    "C": (0.7071, 0.7071),
    "LFE": (0, 0),
    "Ls": (0.7071, 0),
    "Rs": (0, 0.7071),
    "Lb": (0.7071, 0),
    "Rb": (0, 0.7071),
    "Cb": (0.5, 0.5),
}


def tone_hz(speaker: int) -> int:
    return 60 * (speaker + 1) if speaker == 3 else 300 * (speaker + 1)


def speakers(channels: int, sample_rate: int = 48000) -> Audio:
    """A tone of its own in each channel; the fourth, often the low-frequency one, a low tone."""
    times = torch.arange(sample_rate).double() / sample_rate
    tones = [0.1 * torch.sin(2 * torch.pi * tone_hz(k) * times) for k in range(channels)]
    return Audio(torch.stack(tones).float(), sample_rate)


def gains(folded: Audio, speaker: int) -> list[float]:
    """How loud a speaker's tone is in the left and right channel, against its own level."""
    middle = folded.samples[:, 12000:36000].double()
    spectrum = torch.fft.rfft(middle).abs() / (12000 * 0.1)
    return [float(row[tone_hz(speaker) // 2]) for row in spectrum]


@pytest.mark.parametrize("channels", range(3, 9))
def test_every_speaker_of_a_wav_is_placed_by_the_standard(channels: int, tmp_path: Path) -> None:
    folded = decode(write(tmp_path / "speakers.wav", speakers(channels), "PCM_24"))
    assert folded.channels == 2
    for index, speaker in enumerate(default_speakers(channels)):
        assert gains(folded, index) == pytest.approx(STANDARD[speaker], abs=1e-3), speaker


@needs_ffmpeg
@pytest.mark.parametrize("channels", [3, 6, 8])
@pytest.mark.parametrize("suffix", ["flac", "ogg", "opus", "m4a"])
def test_codecs_with_their_own_channel_order_fold_alike(
    channels: int, suffix: str, tmp_path: Path
) -> None:
    codec = {"opus": ("-c:a", "libopus", "-mapping_family", "1"), "ogg": ("-c:a", "libvorbis")}
    path = ffmpeg(speakers(channels), tmp_path / f"speakers.{suffix}", *codec.get(suffix, ()))
    folded = decode(path)
    for index, speaker in enumerate(default_speakers(channels)):
        assert gains(folded, index) == pytest.approx(STANDARD[speaker], abs=0.05), speaker


def test_mono_and_stereo_stay_unchanged() -> None:
    for channels in (1, 2):
        samples = torch.randn(channels, 50)
        assert torch.equal(fold_to_stereo(samples), samples)


def test_unknown_layouts_keep_the_power_and_separate_both_sides() -> None:
    matrix = torch.from_numpy(fold_weights(default_speakers(9)))
    assert torch.allclose(matrix.square().sum(1), torch.ones(2))
    assert not (matrix[0] * matrix[1]).any()


@pytest.mark.parametrize("channels", [1, 2, 3, 6, 8, 11])
@pytest.mark.parametrize("order", [default_speakers, vorbis_speakers])
def test_frames_fold_to_the_same_samples_as_tensors(
    channels: int, order: Callable[[int], tuple[str, ...]]
) -> None:
    speakers = order(channels)
    samples = torch.randn(channels, 4_097, generator=torch.Generator().manual_seed(channels))
    folded = fold_to_stereo(samples, speakers)
    frames = fold_frames(samples.T.numpy(), speakers)
    assert np.array_equal(frames, folded.T.numpy())
    if channels > 2:
        weights = fold_weights(speakers)
        assert np.allclose(frames, samples.T.numpy() @ weights.T, atol=1e-5)
