from __future__ import annotations

from dataclasses import astuple
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import sosfilt

from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.kweighting import KWeighting
from mashup_worker.dsp.loudness import (
    SILENCE_LUFS,
    Loudness,
    LoudnessCurve,
    LoudnessMeter,
    integrated_lufs,
    measure,
)

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

MIXES = sorted(Path(__file__).parents[3].glob("samples/*/mix.flac"))


def sines(sample_rate: int, *steps: tuple[float, float]) -> Audio:
    """A 1 kHz stereo sine in steps of dBFS and seconds."""
    levels = [torch.full((round(seconds * sample_rate),), 10 ** (db / 20)) for db, seconds in steps]
    envelope = torch.cat(levels)
    sine = envelope * torch.sin(2 * torch.pi * 1000 / sample_rate * torch.arange(len(envelope)))
    return Audio(sine.expand(2, -1), sample_rate)


def bursts(sample_rate: int, channels: int, duration_s: float = 6.0) -> Audio:
    """Reddish noise that swells and pauses, as music does."""
    random = np.random.default_rng(3)
    noise = random.standard_normal((channels, round(duration_s * sample_rate)))
    smooth = np.cumsum(noise, axis=1)
    smooth -= np.linspace(smooth[:, 0], smooth[:, -1], smooth.shape[1], axis=1)
    sound = 0.02 * noise + 0.2 * smooth / np.abs(smooth).max()
    swell = np.abs(np.sin(np.linspace(0, 9, sound.shape[1]))) ** 3
    return Audio(torch.from_numpy(sound * swell).float(), sample_rate)


def short_term(audio: Audio) -> LoudnessCurve:
    meter = LoudnessMeter(audio.sample_rate, audio.channels)
    meter.add(audio.samples)
    return meter.short_term_lufs()


def naively_weighted(audio: Audio) -> Array:
    """The filters as pyloudnorm designs them, sample by sample."""
    designs = (
        pyloudnorm.IIRfilter(3.99984385397, 0.7071752369554193, 1681.9744509555319,
                             audio.sample_rate, "high_shelf_DeMan"),
        pyloudnorm.IIRfilter(0.0, 0.5003270373253953, 38.13547087613982,
                             audio.sample_rate, "high_pass_DeMan"),
    )  # fmt: skip
    sections = [np.concatenate([design.b, design.a]) for design in designs]
    weighted: Array = sosfilt(sections, audio.samples.double().numpy(), axis=1)
    return weighted


def naive_windows(audio: Audio, steps: int) -> list[float]:
    """Loudness of each window of so many tenths of a second, each a tenth after the last."""
    squares = np.square(naively_weighted(audio)).sum(axis=0)
    windows, step = [], 0
    while (step + steps) * audio.sample_rate <= 10 * len(squares):
        start, stop = (-(-k * audio.sample_rate // 10) for k in (step, step + steps))
        windows.append(-0.691 + 10 * np.log10(squares[start:stop].mean() + 1e-30))
        step += 1
    return windows


def mean_lufs(windows: list[float]) -> float:
    return -0.691 + 10 * float(np.log10(np.mean([10 ** ((w + 0.691) / 10) for w in windows])))


def naively_measured(audio: Audio) -> tuple[float | None, ...]:
    """Integrated loudness, range, and the highest momentary and short-term loudness."""
    momentary, short_term = naive_windows(audio, 4), naive_windows(audio, 30)
    integrated = spread = None
    if gated := [w for w in momentary if w > -70]:
        integrated = mean_lufs([w for w in gated if w > mean_lufs(gated) - 10])
    if gated := [w for w in short_term if w > -70]:
        rest = sorted(w for w in gated if w > mean_lufs(gated) - 20)
        low, high = (rest[int((len(rest) - 1) * part + 0.5)] for part in (0.1, 0.95))
        spread = high - low
    peaks = (max((w for w in some if w > -120), default=None) for some in (momentary, short_term))
    return integrated, spread, *peaks


def measured(audio: Audio) -> tuple[float | None, ...]:
    result = measure(audio)
    peaks = result.momentary_max_lufs, result.short_term_max_lufs
    return result.integrated_lufs, result.range_lu, *peaks


@pytest.mark.parametrize("sample_rate", [44100, 48000])
@pytest.mark.parametrize(
    ("steps", "loudness_lufs"),
    [
        ([(-23, 20)], -23.0),
        ([(-33, 20)], -33.0),
        ([(-36, 10), (-23, 60), (-36, 10)], -23.0),
        ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23.0),
        ([(-26, 20), (-20, 20.1), (-26, 20)], -23.0),
    ],
)
def test_ebu_tech_3341(
    sample_rate: int, steps: list[tuple[float, float]], loudness_lufs: float
) -> None:
    assert integrated_lufs(sines(sample_rate, *steps)) == pytest.approx(loudness_lufs, abs=0.1)


@pytest.mark.parametrize("sample_rate", [44100, 48000])
@pytest.mark.parametrize("loudness_lufs", [-23.0, -33.0])
def test_a_steady_tone_is_as_loud_at_every_moment(sample_rate: int, loudness_lufs: float) -> None:
    meter = LoudnessMeter(sample_rate, 2)
    meter.add(sines(sample_rate, (loudness_lufs, 20)).samples)
    for curve, windows in ((meter.momentary_lufs(), 197), (meter.short_term_lufs(), 171)):
        assert len(curve.lufs) == windows
        assert curve.lufs.numpy() == pytest.approx(loudness_lufs, abs=0.1)
    assert meter.loudness_range_lu() == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("sample_rate", [44100, 48000])
@pytest.mark.parametrize(
    ("first", "second", "range_lu"), [(-20, -30, 10), (-20, -15, 5), (-40, -20, 20)]
)
def test_ebu_tech_3342(sample_rate: int, first: float, second: float, range_lu: float) -> None:
    result = measure(sines(sample_rate, (first, 20), (second, 20)))
    assert result.range_lu == pytest.approx(range_lu, abs=1)
    assert result.short_term_max_lufs == pytest.approx(max(first, second), abs=0.1)


@pytest.mark.parametrize("path", MIXES, ids=lambda path: path.parent.name)
def test_loudness_equals_pyloudnorm(path: Path) -> None:
    samples, sample_rate = soundfile.read(path, dtype="float32")
    audio = Audio(torch.from_numpy(samples.T.copy()), sample_rate)
    expected = pyloudnorm.Meter(sample_rate).integrated_loudness(samples)
    assert integrated_lufs(audio) == pytest.approx(expected, abs=0.1)
    assert measured(audio) == pytest.approx(naively_measured(audio), abs=1e-3)


@pytest.mark.parametrize("sample_rate", [3364, 8000, 22050, 44100, 96000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("duration_s", [0.3, 0.4, 2.99, 3.0, 7.31])
def test_agrees_with_a_naive_meter(sample_rate: int, channels: int, duration_s: float) -> None:
    audio = bursts(sample_rate, channels, duration_s)
    assert measured(audio) == pytest.approx(naively_measured(audio), abs=2e-3)


@pytest.mark.parametrize(
    "sample_rate", [3364, 3400, 8000, 11025, 22050, 44100, 48000, 96000, 384_000]
)
@pytest.mark.parametrize("length_samples", [1, 63, 64, 65, 70_001])
def test_weighting_is_that_of_the_recursive_filters(sample_rate: int, length_samples: int) -> None:
    noise = torch.randn(2, length_samples, generator=torch.Generator().manual_seed(2))
    audio = Audio(0.1 * noise + 0.25, sample_rate)
    expected = naively_weighted(audio)
    weighted = KWeighting(sample_rate).push(audio.samples).numpy()
    assert np.abs(weighted - expected).max() < 1e-6 * np.abs(expected).max()


def test_weighting_takes_any_leading_sizes_and_any_cut() -> None:
    samples = torch.randn(3, 2, 1000, generator=torch.Generator().manual_seed(1))
    whole = KWeighting(44100).push(samples)
    weighting = KWeighting(44100)
    ends = [0, 1, 1, 64, 128, 628, 1000]
    cut = [weighting.push(samples[..., start:stop]) for start, stop in pairwise(ends)]
    assert torch.allclose(torch.cat(cut, dim=-1), whole, atol=1e-5)
    assert torch.allclose(KWeighting(44100).push(samples[1, 0]), whole[1, 0], atol=1e-5)


@pytest.mark.parametrize(
    "sample_rate", [3400, 4000, 8000, 11025, 16000, 44100, 48000, 96000, 192000]
)
@pytest.mark.parametrize("channels", [1, 2])
def test_agrees_with_pyloudnorm(sample_rate: int, channels: int) -> None:
    audio = bursts(sample_rate, channels)
    samples = audio.samples.T.double().numpy()
    same_filter = pyloudnorm.Meter(sample_rate, filter_class="DeMan").integrated_loudness(samples)
    assert integrated_lufs(audio) == pytest.approx(same_filter, abs=0.02)
    if sample_rate >= 44100:
        default = pyloudnorm.Meter(sample_rate).integrated_loudness(samples)
        assert integrated_lufs(audio) == pytest.approx(default, abs=0.1)


@pytest.mark.parametrize("sample_rate", [1000, 1500, 2000, 3000, 3363])
def test_no_loudness_where_the_filter_does_not_exist(sample_rate: int) -> None:
    assert integrated_lufs(bursts(sample_rate, 2)) is None


@pytest.mark.parametrize("sample_rate", [3364, 4000, 8000])
def test_low_rates_stay_finite_over_minutes(sample_rate: int) -> None:
    loudness_lufs = integrated_lufs(bursts(sample_rate, 1, 120.0))
    assert loudness_lufs is not None
    assert -60 < loudness_lufs < 0


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(0, 9000), min_size=1, max_size=6).filter(lambda x: sum(x) > 99))
def test_however_the_sound_is_cut(sizes: list[int]) -> None:
    audio = bursts(11025, 2, 4.0)
    meter = LoudnessMeter(audio.sample_rate, audio.channels)
    start, turn = 0, 0
    while start < audio.length_samples:
        size = sizes[turn % len(sizes)]
        meter.add(audio.read(start, start + size))
        start, turn = start + size, turn + 1
    assert meter.integrated_lufs() == pytest.approx(integrated_lufs(audio), abs=1e-5)
    assert meter.loudness_range_lu() == pytest.approx(measure(audio).range_lu, abs=1e-5)
    assert meter.short_term_lufs().lufs.numpy() == pytest.approx(
        short_term(audio).lufs.numpy(), abs=1e-5
    )


def test_a_constant_offset_is_not_heard() -> None:
    audio = bursts(44100, 2)
    shifted = Audio(audio.samples + 0.25, audio.sample_rate)
    assert integrated_lufs(shifted) == pytest.approx(integrated_lufs(audio), abs=0.1)


def test_twice_the_amplitude_is_6_db_more() -> None:
    audio = bursts(44100, 1)
    quiet, loud = integrated_lufs(audio), integrated_lufs(Audio(2 * audio.samples, 44100))
    assert quiet is not None
    assert loud == pytest.approx(quiet + 20 * np.log10(2), abs=0.01)


@pytest.mark.parametrize("channels", [1, 2])
def test_silence_and_less_than_a_block_have_no_loudness(channels: int) -> None:
    assert integrated_lufs(Audio(torch.zeros(channels, 44100), 44100)) is None
    assert integrated_lufs(Audio(torch.ones(channels, 17639), 44100)) is None
    assert integrated_lufs(Audio(torch.rand(channels, 17640), 44100)) is not None
    assert LoudnessMeter(44100, channels).integrated_lufs() is None


def test_silence_and_short_sounds_lack_undefined_values() -> None:
    nothing = Loudness(
        integrated_lufs=None,
        range_lu=None,
        true_peak_dbtp=None,
        momentary_max_lufs=None,
        short_term_max_lufs=None,
    )
    assert measure(Audio(torch.zeros(2, 5 * 44100), 44100)) == nothing
    assert measure(Audio(torch.zeros(1, 0), 44100)) == nothing
    tone = sines(44100, (-20, 4))
    one_second = measure(Audio(tone.samples[:, :44100], 44100))
    assert [value is None for value in astuple(one_second)] == [False, True, False, False, True]
    one_sample = measure(Audio(torch.full((1, 1), 0.5), 44100))
    assert [value is None for value in astuple(one_sample)] == [True, True, False, True, True]
    too_slow = measure(bursts(3000, 2))
    assert [value is None for value in astuple(too_slow)] == [True, True, False, True, True]


def test_mono_counts_once() -> None:
    stereo = sines(48000, (-23, 5))
    mono = measure(Audio(stereo.samples[:1], 48000))
    both = measure(stereo)
    assert both.integrated_lufs == pytest.approx(-23.0, abs=0.1)
    assert mono.integrated_lufs == pytest.approx(-23.0 - 3.01, abs=0.1)


def test_curves_tell_where_sound_begins_and_show_silence_as_a_number() -> None:
    """The window that ends at 5 s is all silence; the one that ends at 6.0 s begins the tone."""
    tone = sines(44100, (-20, 4)).samples
    samples = torch.cat([torch.zeros(2, 5 * 44100), tone], dim=1)
    curve = short_term(Audio(samples, 44100))
    silent = curve.ends_s <= 5
    assert curve.ends_s[0] == 3
    assert curve.ends_s[-1] == 9
    assert curve.ends_s.diff().numpy() == pytest.approx(0.1)
    assert silent.sum() == 21
    assert curve.lufs[silent].numpy() == pytest.approx(SILENCE_LUFS)
    assert curve.lufs[curve.ends_s == 6].item() == pytest.approx(-20 - 10 * np.log10(3), abs=0.1)
    assert curve.max_lufs == pytest.approx(-20, abs=0.1)


def test_samples_far_above_full_scale_give_numbers() -> None:
    """Float files can hold them."""
    loud = measure(Audio(1e25 * bursts(44100, 2).samples, 44100))
    assert all(value is not None and np.isfinite(value) for value in astuple(loud))


@pytest.mark.parametrize("channels", [0, 3])
def test_only_mono_and_stereo(channels: int) -> None:
    with pytest.raises(ValueError, match=f"{channels} channels"):
        measure(Audio(torch.zeros(channels, 44100), 44100))


@pytest.mark.gpu
@pytest.mark.parametrize("sample_rate", [8000, 44100])
def test_cuda_measures_as_the_cpu_does(sample_rate: int) -> None:
    audio = bursts(sample_rate, 2, 10.0)
    on_cuda = measure(Audio(audio.samples.cuda(), sample_rate))
    assert astuple(on_cuda) == pytest.approx(astuple(measure(audio)), abs=1e-4)
