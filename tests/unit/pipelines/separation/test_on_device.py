"""Songs that stay on the device give the files that songs on the host give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
import torch

from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.audio.resample import resample
from mashup_worker.audio.signal import Audio
from mashup_worker.audio.writers import quantize, quantized
from mashup_worker.dsp.metrics import snr_db
from mashup_worker.dsp.polyphase import converted, has_few_phases
from mashup_worker.models.device import resolve_device
from mashup_worker.pipelines.separation import separate as pipeline
from mashup_worker.pipelines.separation.on_device import Delivery, fits, separate_on_device
from mashup_worker.pipelines.separation.separate import (
    SeparateRequest,
    separate_audio,
    separate_file,
)
from mashup_worker.pipelines.separation.stems import stem_mixes
from tests.engines import Splitter

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fake_cuda.budget import DeviceBudget

RATES_HZ = [8_000, 11_025, 22_050, 32_000, 37_800, 48_000, 88_200, 96_000]


def sounds(length: int, channels: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(length)
    noise = 0.3 * torch.randn(channels, length, generator=generator)
    bursts = noise * (torch.arange(length) % 9000 < 100)
    return {"noise": noise, "silence": torch.zeros(channels, length), "bursts": bursts}


def on_device(separator: Splitter, audio: Audio, wanted: tuple[str, ...]) -> dict[str, Audio]:
    made = stem_mixes(separator.stems, separator.residual_stem, wanted)
    stems = separate_on_device(separator, audio, made, on_progress=None)
    return {one.kind: Audio(one.read(0, one.length_samples), one.sample_rate) for one in stems}


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("length", [1, 100, 44_101, 100_003])
@pytest.mark.parametrize("residual_stem", [None, "high"])
def test_stems_at_the_models_rate_are_the_same(
    length: int, channels: int, residual_stem: str | None
) -> None:
    separator = Splitter(residual_stem=residual_stem)
    wanted = ("low", "high", "no_low", "no_high")
    for samples in sounds(length, channels).values():
        audio = Audio(samples, separator.sample_rate)
        expected = separate_audio(separator, audio, wanted)
        for kind, made in on_device(separator, audio, wanted).items():
            assert torch.allclose(made.samples, expected[kind].samples, atol=1e-7)


@pytest.mark.parametrize("sample_rate", RATES_HZ)
@pytest.mark.parametrize("channels", [1, 2])
def test_stems_at_other_rates_are_nearly_the_same(sample_rate: int, channels: int) -> None:
    """Up to nearly nine tenths of the lower band, there and back: beyond it soxr lets go."""
    separator, length = Splitter(), 2 * sample_rate + 1
    nyquist_hz = min(sample_rate, separator.sample_rate) / 2
    spectrum = torch.fft.rfft(sounds(length, channels)["noise"])
    spectrum[:, torch.fft.rfftfreq(length, 1 / sample_rate) > 0.88 * nyquist_hz] = 0
    audio = Audio(torch.fft.irfft(spectrum, length), sample_rate)
    expected = separate_audio(separator, audio, ("low",))["low"].samples
    made = on_device(separator, audio, ("low",))["low"].samples
    assert made.shape == expected.shape
    inner = slice(sample_rate // 4, -sample_rate // 4)
    assert snr_db(made[:, inner], expected[:, inner]) > 70
    for length in (1, 100):
        short = Audio(sounds(length, channels)["noise"], sample_rate)
        assert on_device(separator, short, ("low",))["low"].samples.shape == (channels, length)


def test_the_converter_removes_frequencies_above_the_lower_rate() -> None:
    time_s = torch.arange(96_000, dtype=torch.float64) / 96_000
    tone = torch.sin(2 * torch.pi * 30_000 * time_s)[None].float()
    assert converted(tone, 96_000, 44_100, 44_100)[:, 2000:-2000].abs().max() < 1e-4
    assert resample(Audio(tone, 96_000), 44_100).samples[:, 2000:-2000].abs().max() < 1e-4


@pytest.mark.gpu
def test_filters_of_a_conversion_are_uploaded_once(device_budget: DeviceBudget) -> None:
    """Each upload of a few numbers would wait for all that the device has to do."""
    sound = torch.randn(2, 4800).to(resolve_device("cuda"))
    converted(sound, 48_000, 44_100, 4410)
    with device_budget.limit(read=0, copy=0):
        converted(sound, 48_000, 44_100, 4410)


def test_rates_without_a_simple_ratio_stay_on_the_host() -> None:
    assert has_few_phases(48_000, 44_100)
    assert not has_few_phases(44_101, 44_100)
    assert not fits(Splitter(), Audio(torch.zeros(2, 100), 44_100), ())  # its device is the CPU


@pytest.mark.parametrize("bit_depth", [16, 24])
def test_integers_are_those_of_the_host(bit_depth: int) -> None:
    edges = torch.tensor([0.0, -0.0, 1.0, -1.0, 1.5, -1.5, 1e9, 0.5 / 2**15, 1.5 / 2**15])
    noise = 1.2 * torch.randn(2, 100_000, generator=torch.Generator().manual_seed(1))
    for samples in (edges.expand(2, -1), noise, noise / 2**14):
        expected = quantize(samples, bit_depth)
        assert np.array_equal(quantized(samples, bit_depth).numpy().T, expected)


@pytest.mark.parametrize(
    "encode",
    [
        EncodeOptions("flac", 16),
        EncodeOptions("flac", 24),
        EncodeOptions("wav", 16),
        EncodeOptions("wav", 32),
        EncodeOptions("mp3"),
        EncodeOptions("ogg"),
    ],
    ids=lambda one: f"{one.format}-{one.bit_depth}",
)
@pytest.mark.parametrize("channels", [1, 2])
def test_files_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encode: EncodeOptions, channels: int
) -> None:
    """Loud enough to share a gain, and with samples that are no numbers."""
    separator = Splitter(share=1.4)
    samples = sounds(70_001, channels)["noise"].numpy().T
    samples[1000] = np.nan
    soundfile.write(tmp_path / "song.wav", samples, 44_100, subtype="FLOAT")
    made: dict[str, Any] = {}
    for path in ("host", "device"):
        if path == "device":
            monkeypatch.setattr(pipeline, "fits", lambda *_: True)
            monkeypatch.setattr("mashup_worker.pipelines.separation.stems.Stem.is_on_host", False)
        targets = {kind: tmp_path / path / f"{kind}.{encode.format}" for kind in ("low", "no_low")}
        request = SeparateRequest(tmp_path / "song.wav", targets, encode)
        made[path] = separate_file(separator, request)
    limited = encode.max_peak is not None
    assert (made["host"].shared_gain_db < 0) == limited
    assert made["device"].shared_gain_db == pytest.approx(made["host"].shared_gain_db)
    for theirs, mine in zip(made["host"].stems, made["device"].stems, strict=True):
        # Each Ogg stream has a number of its own, and float WAV says when its peak was found.
        if encode.format == "ogg" or encode.is_float:
            pair = (soundfile.read(one.path)[0] for one in (mine, theirs))
            assert np.array_equal(*pair)
        else:
            assert mine.path.read_bytes() == theirs.path.read_bytes()
        assert mine.loudness_lufs == pytest.approx(theirs.loudness_lufs, abs=0.01)


@pytest.mark.gpu
@pytest.mark.parametrize("sample_rate", [44_100, 48_000])
def test_on_cuda_the_integers_are_those_of_the_cpu(
    sample_rate: int, device_budget: DeviceBudget
) -> None:
    """And the host waits for a stem once, for its values and its loudness together."""

    class OnCuda(Splitter):
        device = "cuda:0"

    audio = Audio(sounds(3 * sample_rate, 2)["noise"], sample_rate)
    made = stem_mixes(Splitter.stems, None, ("low", "no_low"))
    resolve_device("cuda")  # as whoever makes a separator
    cuda, cpu = OnCuda(), Splitter()
    assert fits(cuda, audio, made)
    stems = zip(
        separate_on_device(cuda, audio, made, on_progress=None),
        separate_on_device(cpu, audio, made, on_progress=None),
        strict=True,
    )
    for there, here in stems:
        encode = EncodeOptions("flac", 16)
        expected = Delivery.of(here, 0.5, encode)
        Delivery.of(there, 0.5, encode).wait()  # uploads filters, once
        with device_budget.limit(read=0, copy=0, wait=1):
            delivered = Delivery.of(there, 0.5, encode)
            delivered.wait()
            delivered.meter.integrated_lufs()
        difference = (delivered.values.int() - expected.values.int()).abs()
        assert difference.max() <= 1
        assert delivered.meter.integrated_lufs() == pytest.approx(
            expected.meter.integrated_lufs(), abs=0.01
        )
