"""Inputs of the analysis: downmix, levels, and the choice of stems for the features."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mashup_worker.analysis.onsets import RATE_HZ
from mashup_worker.audio.resample import resample, resampled_length
from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.loudness import measure
from mashup_worker.errors import InvalidInput
from mashup_worker.pipelines.analysis import inputs
from mashup_worker.pipelines.analysis.inputs import (
    AnalysisInput,
    LevelMeter,
    MonoDownmix,
    StemReader,
    sounding_span_s,
)

CPU = torch.device("cpu")


def noise(channels: int, samples: int, seed: int = 1) -> torch.Tensor:
    return 0.1 * torch.randn(channels, samples, generator=torch.Generator().manual_seed(seed))


def downmix(audio: Audio, block: int = 1 << 18) -> torch.Tensor:
    mono = MonoDownmix(audio.sample_rate, audio.channels)
    for piece in audio.samples.split(block, dim=1):
        mono.add(piece)
    return mono.finish()


@pytest.mark.parametrize("sample_rate", [8_000, RATE_HZ, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_the_downmix_is_the_mid_at_the_rate_of_the_features(
    sample_rate: int, channels: int
) -> None:
    audio = Audio(noise(channels, sample_rate + 7), sample_rate)
    middle = Audio(audio.samples.mean(dim=0, keepdim=True), sample_rate)
    got = downmix(audio, block=999)
    assert got.shape == (resampled_length(sample_rate + 7, sample_rate, RATE_HZ),)
    torch.testing.assert_close(got, resample(middle, RATE_HZ).samples[0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("samples", [0, 1, 2, 10])
@pytest.mark.parametrize("channels", [1, 2])
def test_the_downmix_of_a_few_samples_is_finite(samples: int, channels: int) -> None:
    got = downmix(Audio(noise(channels, samples), 44_100))
    assert got.shape == (resampled_length(samples, 44_100, RATE_HZ),)
    assert got.isfinite().all()


def test_the_downmix_is_the_side_if_the_mid_cancels_out() -> None:
    left = noise(1, 10_000)
    out_of_phase = Audio(torch.cat([left, -left]), RATE_HZ)
    torch.testing.assert_close(downmix(out_of_phase), left[0])
    # A whisper in the middle does not count.
    whisper = Audio(out_of_phase.samples + 0.01 * noise(1, 10_000, seed=2), RATE_HZ)
    assert float(downmix(whisper).square().mean()) > 0.5 * float(left.square().mean())


def test_one_silent_channel_is_no_loss() -> None:
    left = noise(1, 10_000)
    got = downmix(Audio(torch.cat([left, torch.zeros_like(left)]), RATE_HZ))
    torch.testing.assert_close(got, left[0] / 2)


def test_blocks_give_the_levels_of_the_whole() -> None:
    audio = Audio(noise(2, 44_100 * 5), 44_100)
    meter = LevelMeter(44_100, 2, CPU)
    for piece in audio.samples.split(7_777, dim=1):
        meter.add(piece)
    levels, whole = meter.levels(), measure(audio)
    assert levels.integrated_lufs == pytest.approx(whole.integrated_lufs, abs=1e-3)
    assert levels.true_peak_dbtp == pytest.approx(whole.true_peak_dbtp, abs=1e-3)


def test_no_samples_have_no_levels() -> None:
    levels = LevelMeter(44_100, 2, CPU).levels()
    assert levels.integrated_lufs is levels.true_peak_dbtp is None
    assert len(levels.momentary.lufs) == 0


def stems_of(**gains: float) -> dict[str, torch.Tensor]:
    return {
        kind: gain * noise(1, RATE_HZ, seed=i)[0] for i, (kind, gain) in enumerate(gains.items())
    }


def test_rhythm_comes_from_drums_and_harmony_from_pitched_stems() -> None:
    stems = stems_of(drums=1.0, bass=0.5, other=0.7, vocals=1.0)
    sounds = AnalysisInput.of_stems(stems)
    torch.testing.assert_close(sounds.rhythm, stems["drums"])
    expected = stems["bass"] + stems["other"] + inputs._VOCAL_GAIN * stems["vocals"]
    torch.testing.assert_close(sounds.harmony, expected)
    assert sounds.sounding_s is not None


@pytest.mark.parametrize("gain", [0.0, 0.001])
def test_faint_drums_leave_the_rhythm_to_the_mix(gain: float) -> None:
    stems = stems_of(drums=gain, bass=0.5, other=0.7)
    mix = stems["drums"] + stems["bass"] + stems["other"]
    torch.testing.assert_close(AnalysisInput.of_stems(stems).rhythm, mix)


@pytest.mark.parametrize("kind", ["drums", "vocals", "piano"])
def test_one_stem_alone_carries_everything(kind: str) -> None:
    stems = stems_of(**{kind: 1.0})
    sounds = AnalysisInput.of_stems(stems)
    assert sounds.rhythm.abs().max() > 0
    assert sounds.harmony.abs().max() > 0
    torch.testing.assert_close(sounds.rhythm, stems[kind])


def test_silent_stems_are_silence() -> None:
    sounds = AnalysisInput.of_stems(stems_of(drums=0.0, other=0.0))
    assert sounds.sounding_s is None
    assert sounds.rhythm.abs().max() == 0


@pytest.mark.parametrize("span", [1 << 18, 997])
def test_stems_of_different_lengths_and_channels_are_summed(
    span: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "_SPAN_SAMPLES", span)
    bass, drums = noise(1, 30_000), noise(2, 50_001, seed=2)
    stems = {"bass": Audio(bass, RATE_HZ), "drums": Audio(drums, RATE_HZ)}
    reader = StemReader(stems, CPU)
    reader.read()
    assert reader.duration_s == 50_001 / RATE_HZ
    sounds = reader.analysis_input()
    torch.testing.assert_close(sounds.rhythm, drums.mean(dim=0))
    torch.testing.assert_close(sounds.harmony[:30_000], bass[0])
    assert sounds.harmony[30_000:].abs().max() == 0
    mix = drums.clone()
    mix[:, :30_000] += bass
    expected = measure(Audio(mix, RATE_HZ))
    assert reader.levels().integrated_lufs == pytest.approx(expected.integrated_lufs, abs=1e-3)


def test_stems_of_different_rates_are_an_error_that_names_them() -> None:
    stems = {"bass": Audio(noise(1, 10), 44_100), "drums": Audio(noise(1, 10), 48_000)}
    with pytest.raises(InvalidInput, match="bass 44100 Hz, drums 48000 Hz"):
        StemReader(stems, CPU)


def test_no_stems_are_an_error() -> None:
    with pytest.raises(InvalidInput, match="no stems"):
        StemReader({}, CPU)


@pytest.mark.parametrize("gain", [1e-3, 1.0, 100.0])
def test_the_audible_span_excludes_silence(gain: float) -> None:
    sound = torch.zeros(10 * RATE_HZ)
    sound[2 * RATE_HZ : 7 * RATE_HZ] = gain * noise(1, 5 * RATE_HZ)[0]
    span = sounding_span_s(sound + 1e-7)
    assert span is not None
    np.testing.assert_allclose(span, (2.0, 7.0), atol=0.02)


@pytest.mark.parametrize("samples", [0, 1, 100, 500, RATE_HZ])
def test_silence_has_no_span(samples: int) -> None:
    assert sounding_span_s(torch.zeros(samples)) is None
