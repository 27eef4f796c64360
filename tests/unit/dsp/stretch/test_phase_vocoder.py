"""The vocoder: tones stay tones, channels stay together, voices keep their formants."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.stretch.engine import Change
from mashup_worker.dsp.stretch.formants import true_envelope
from mashup_worker.dsp.stretch.phase_locking import leading_peaks, rotations, unit
from mashup_worker.dsp.stretch.phase_vocoder import TensorStretcher
from mashup_worker.dsp.stretch.time_map import TimeMap
from mashup_worker.errors import InvalidInput

RATE_HZ = 44100
CHORD_HZ = (130.81, 164.81, 196.0, 261.63)


def chord(
    duration_s: float, *, partials: int = 12, factor: float = 1.0, sample_rate: int = RATE_HZ
) -> Audio:
    """A chord of saws in stereo, each partial somewhere else; faded at its ends."""
    random = torch.Generator().manual_seed(4)
    at = torch.arange(round(duration_s * sample_rate), dtype=torch.float64) / sample_rate
    samples = torch.zeros(2, len(at), dtype=torch.float64)
    for hz in CHORD_HZ:
        for partial in range(1, partials + 1):
            phase, pan = torch.rand(2, generator=random).tolist()
            tone = torch.sin(2 * math.pi * (hz * factor * partial * at + phase)) / partial
            samples += torch.tensor([[pan], [1 - pan]], dtype=torch.float64) * tone
    fade = (torch.minimum(at, at[-1] - at) / 0.05).clamp(max=1)
    return Audio((0.06 * fade * samples).float(), sample_rate)


def noise(length_samples: int, channels: int = 2) -> Tensor:
    return 0.1 * torch.randn(channels, length_samples, generator=torch.Generator().manual_seed(9))


def magnitudes(samples: Tensor) -> Tensor:
    window = torch.hann_window(2048)
    return torch.stft(samples, 2048, 512, window=window, return_complex=True).abs()


def spectral_convergence(wanted: Tensor, got: Tensor) -> float:
    a, b = magnitudes(wanted), magnitudes(got)
    return float((a - b).norm() / a.norm())


def stretched(
    audio: Audio, ratio: float, semitones: float = 0.0, *, formants: bool = False
) -> Tensor:
    time_map = TimeMap.constant(audio.length_samples, ratio)
    return TensorStretcher().stretch(audio, Change(time_map, semitones, formants)).samples


@pytest.mark.parametrize(
    ("ratio", "semitones"), [(0.8, 0), (0.9, 0), (1.1, 0), (1.25, 0), (1, 2), (1, -2), (1.1, 0.04)]
)
@pytest.mark.parametrize(("partials", "worst"), [(1, 0.06), (12, 0.25)])
def test_a_chord_becomes_the_chord_that_is_wanted(
    ratio: float, semitones: float, partials: int, worst: float
) -> None:
    wanted = chord(2 * ratio, partials=partials, factor=2 ** (semitones / 12)).samples
    got = stretched(chord(2.0, partials=partials), ratio, semitones)
    assert got.shape == wanted.shape
    assert spectral_convergence(wanted, got) < worst


@pytest.mark.parametrize("semitones", [-7.0, -2.0, 0.05, 1.0, 5.0])
def test_pitch_is_right_within_a_cent(semitones: float) -> None:
    at = torch.arange(4 * RATE_HZ, dtype=torch.float64) / RATE_HZ
    sine = Audio(torch.sin(2 * math.pi * 1000 * at).float()[None], RATE_HZ)
    middle = stretched(sine, 1.0, semitones)[0, RATE_HZ : 3 * RATE_HZ].double()
    spectrum = torch.fft.rfft(middle * torch.hann_window(len(middle), dtype=torch.float64))
    power = spectrum.abs().log()
    peak = int(power.argmax())
    below, top, above = power[peak - 1 : peak + 2].tolist()
    found_hz = (peak + 0.5 * (below - above) / (below - 2 * top + above)) * RATE_HZ / len(middle)
    assert 1200 * math.log2(found_hz / 1000) == pytest.approx(100 * semitones, abs=0.5)


def test_clicks_land_where_a_bent_map_takes_them() -> None:
    clicks = torch.zeros(1, 60_000)
    starts = torch.tensor([9000, 21_000, 33_000, 47_000])
    clicks[0, starts] = 1.0
    time_map = TimeMap((0, 20_000, 40_000, 60_000), (0, 17_000, 41_000, 60_000))
    copy = TensorStretcher().stretch(Audio(clicks, RATE_HZ), Change(time_map)).samples[0]
    for landing in time_map.target_at(starts).round().long().tolist():
        around = copy[landing - 4000 : landing + 4000].abs()
        assert abs(int(around.argmax()) - 4000) <= 2
        assert around.max() == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("semitones", [0.0, 2.0])
def test_channels_keep_their_phase_relations(semitones: float) -> None:
    audio = chord(1.0)
    left = audio.samples[0]
    mirrored = stretched(Audio(torch.stack([left, -left]), RATE_HZ), 1.1, semitones)
    assert (mirrored[0] + mirrored[1]).abs().max() < 1e-6
    assert mirrored[0].square().mean() > 0.5 * left.square().mean()
    panned = stretched(Audio(torch.stack([0.8 * left, 0.2 * left]), RATE_HZ), 1.1, semitones)
    assert panned[1].numpy() == pytest.approx(panned[0].numpy() / 4, abs=1e-5)
    aside = stretched(Audio(torch.stack([left, 0 * left]), RATE_HZ), 1.1, semitones)
    assert not aside[1].any()


@dataclass(frozen=True)
class Formant:
    """A resonance of a vowel."""

    centre_hz: float
    width_hz: float
    gain: float


VOWEL = (
    Formant(700, 110, 1.0),
    Formant(1220, 120, 0.6),
    Formant(2600, 160, 0.35),
    Formant(3300, 250, 0.2),
)


def vowel_gain(hz: Tensor) -> Tensor:
    gains = [
        one.gain / (1 + (2 * (hz - one.centre_hz) / one.width_hz) ** 2).sqrt() for one in VOWEL
    ]
    return torch.stack(gains).sum(0)


def vowel(pitch_hz: float) -> Audio:
    at = torch.arange(2 * RATE_HZ, dtype=torch.float64)[None] / RATE_HZ
    partial = torch.arange(1, int(6000 / pitch_hz), dtype=torch.float64)[:, None]
    tones = torch.sin(2 * math.pi * pitch_hz * partial * at + 0.7 * partial**2)
    return Audio((0.05 * vowel_gain(pitch_hz * partial) * tones).sum(0).float()[None], RATE_HZ)


def envelope_error_db(samples: Tensor, pitch_hz: float) -> float:
    """How far partials up to 4.5 kHz stray from the vowel's envelope, root mean square."""
    middle = samples[0, RATE_HZ // 2 :][:RATE_HZ]
    spectrum = torch.fft.rfft(middle * torch.hann_window(RATE_HZ)).abs()
    hz = pitch_hz * torch.arange(1, int(4500 / pitch_hz))
    peaks = torch.stack([spectrum[int(one) - 3 : int(one) + 4].max() for one in hz])
    return float((20 * torch.log10(peaks / vowel_gain(hz))).std())


@pytest.mark.parametrize("semitones", [-4.0, -2.0, 2.0, 4.0])
@pytest.mark.parametrize("pitch_hz", [110.0, 220.0])
def test_a_vowel_keeps_its_formants(pitch_hz: float, semitones: float) -> None:
    audio, moved_hz = vowel(pitch_hz), pitch_hz * 2 ** (semitones / 12)
    kept = envelope_error_db(stretched(audio, 1.0, semitones, formants=True), moved_hz)
    plain = envelope_error_db(stretched(audio, 1.0, semitones), moved_hz)
    assert kept < min(3.0, 0.6 * plain)


def test_a_true_envelope_goes_along_with_the_peaks() -> None:
    audio = vowel(150.0)
    spectrum = torch.fft.rfft(audio.samples[:, 8000:12_096] * torch.hann_window(4096))
    envelope = true_envelope(spectrum.abs().square(), 70)[0]
    level = spectrum.abs().log()[0]
    partials = (150.0 * torch.arange(2, 25) * 4096 / RATE_HZ).round().long()
    assert (level - envelope)[partials].std() < 0.3


@pytest.mark.parametrize("sample_rate", [8000, 22050, 48000, 96000])
@pytest.mark.parametrize("length_samples", [1, 2, 100, 7001])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_any_sound_gets_its_length(sample_rate: int, length_samples: int, channels: int) -> None:
    audio = Audio(noise(length_samples, channels), sample_rate)
    for ratio, semitones in ((0.8, 0.0), (4.0, 0.0), (0.25, 0.0), (1.1, 2.0)):
        copy = stretched(audio, ratio, semitones, formants=True)
        assert copy.shape == (channels, max(1, round(length_samples * ratio)))
        assert copy.dtype == torch.float32
        assert copy.isfinite().all()


@pytest.mark.parametrize("sample_rate", [8000, 22050, 96000])
def test_odd_rates_sound_as_well(sample_rate: int) -> None:
    wanted = chord(2.2, partials=6, sample_rate=sample_rate).samples
    got = stretched(chord(2.0, partials=6, sample_rate=sample_rate), 1.1)
    assert spectral_convergence(wanted, got) < 0.25


def test_silence_stays_silent_and_noise_keeps_its_level() -> None:
    assert not stretched(Audio(torch.zeros(2, 30_000), RATE_HZ), 1.2, 1.0, formants=True).any()
    hiss = noise(2 * RATE_HZ)
    for ratio in (0.8, 1.25):
        level_db = 10 * torch.log10(stretched(Audio(hiss, RATE_HZ), ratio).var() / hiss.var())
        assert abs(level_db) < 1.5


def test_long_sounds_are_stretched_without_seams() -> None:
    """More frames than are worked on at once: a tone goes on through all of them."""
    at = torch.arange(16 * RATE_HZ, dtype=torch.float64) / RATE_HZ
    tone = torch.sin(2 * math.pi * 440 * at).float()[None]
    middle = stretched(Audio(tone, RATE_HZ), 1.25)[0, RATE_HZ:-RATE_HZ]
    level = torch.nn.functional.avg_pool1d(middle.square()[None], 2205).sqrt()
    assert level.min() > 0.98 * math.sqrt(0.5)
    assert level.max() < 1.02 * math.sqrt(0.5)


def test_nothing_is_done_for_nothing_and_the_same_twice() -> None:
    audio = chord(1.0)
    still = TimeMap.constant(audio.length_samples, 1.0)
    assert TensorStretcher().stretch(audio, Change(still)) is audio
    assert torch.equal(stretched(audio, 0.9, 1.0), stretched(audio, 0.9, 1.0))


def test_unsupported_changes_are_refused() -> None:
    audio = Audio(noise(1000), RATE_HZ)
    with pytest.raises(InvalidInput, match=r"time_map: spans 999 samples of a sound of 1000"):
        TensorStretcher().stretch(audio, Change(TimeMap.constant(999, 1.1)))
    with pytest.raises(InvalidInput, match=r"time_map: a ratio of 5"):
        TensorStretcher().stretch(audio, Change(TimeMap.constant(1000, 5.0)))


def rotations_one_by_one(first: Tensor, leaders: Tensor, turns: Tensor) -> Tensor:
    """Frame after frame, as the recursion is written."""
    frames, bins = leaders.shape
    solved, before = torch.empty_like(turns), first
    for t in range(frames):
        for k in range(bins):
            leader = int(leaders[t, k])
            solved[t, k] = turns[t, leader] * before[leader] if leader < bins else 1
        before = solved[t]
    return solved


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(1, 7), st.integers(0, 1000))
def test_rotations_are_those_of_frame_after_frame(frames: int, bins: int, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    leaders = torch.randint(bins + 1, (frames, bins), generator=random)
    angles = 2 * math.pi * torch.rand(frames + 1, bins, generator=random)
    unity = torch.polar(torch.ones_like(angles), angles)
    solved = rotations(unity[0], leaders, unity[1:])
    expected = rotations_one_by_one(unity[0], leaders, unity[1:])
    assert (solved - expected).abs().max() < 1e-5


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(0, 1000))
def test_leaders_are_the_nearest_peaks(bins: int, seed: int) -> None:
    power = torch.rand(2, bins, generator=torch.Generator().manual_seed(seed))
    for frame, leaders in zip(power.tolist(), leading_peaks(power).tolist(), strict=True):
        padded = [-1.0, -1.0, *frame, -1.0, -1.0]
        peaks = [k for k in range(bins) if padded[k + 2] == max(padded[k : k + 5])]
        nearest = [min(abs(k - peak) for peak in peaks) for k in range(bins)]
        assert all(leader in peaks for leader in leaders)
        assert [abs(k - leader) for k, leader in enumerate(leaders)] == nearest


def test_silent_bins_lead_themselves_and_do_not_turn() -> None:
    assert leading_peaks(torch.zeros(1, 6)).tolist() == [[0, 1, 2, 3, 4, 5]]
    values = torch.tensor([0, 3 - 4j, 1e-30j, -2], dtype=torch.complex64)
    expected = torch.tensor([1, 0.6 - 0.8j, 1j, -1], dtype=torch.complex64)
    assert (unit(values) - expected).abs().max() < 1e-6


@pytest.mark.gpu
def test_cuda_sounds_as_the_cpu_does() -> None:
    audio = chord(2.0)
    on_cuda = stretched(Audio(audio.samples.cuda(), RATE_HZ), 1.1, 2.0, formants=True)
    assert on_cuda.is_cuda
    assert spectral_convergence(stretched(audio, 1.1, 2.0, formants=True), on_cuda.cpu()) < 0.05
