"""Drums that are cut at their attacks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.stretch import slices
from mashup_worker.dsp.stretch.engine import Change
from mashup_worker.dsp.stretch.slices import SliceStretcher
from mashup_worker.dsp.stretch.time_map import TimeMap
from mashup_worker.errors import InvalidInput

RATE_HZ = 44100
KINDS = ("kick", "snare", "hat")


def hit(kind: str, random: np.random.Generator) -> np.ndarray:
    at = np.arange(round(0.3 * RATE_HZ)) / RATE_HZ
    noise = random.standard_normal(len(at) + 1)
    if kind == "kick":
        glide = 50 * at + 2.75 * (1 - np.exp(-40 * at))
        body = 0.9 * np.sin(2 * np.pi * glide + 0.3) * np.exp(-at / 0.07)
        return body + 0.3 * noise[1:] * np.exp(-at / 0.003)
    if kind == "snare":
        shell = 0.5 * np.sin(2 * np.pi * 190 * at + 0.5) * np.exp(-at / 0.05)
        return shell + 0.4 * noise[1:] * np.exp(-at / 0.05)
    return 0.4 * np.diff(noise) * np.exp(-at / 0.02)


def drums(steps: int, step_s: float, kinds: tuple[str, ...] = KINDS) -> tuple[Audio, list[int]]:
    """Hits in turn, a step apart, the channels unlike; and the samples at which they begin."""
    random = np.random.default_rng(5)
    starts = [round((0.1 + k * step_s) * RATE_HZ) for k in range(steps)]
    samples = np.zeros((2, starts[-1] + round(0.5 * RATE_HZ)))
    for k, start in enumerate(starts):
        one = random.uniform(0.3, 0.5) * hit(kinds[k % len(kinds)], random)
        samples[:, start : start + len(one)] += np.outer((1.0, 0.7), one)
    return Audio(torch.from_numpy(samples).float(), RATE_HZ), starts


def bent(length_samples: int) -> TimeMap:
    """Slower, then faster."""
    source = [0, length_samples // 3, 2 * length_samples // 3, length_samples]
    steps = np.diff(source) * [0.85, 1.2, 1.0]
    return TimeMap(tuple(source), (0, *np.cumsum(steps).round().astype(int).tolist()))


def maps(length_samples: int) -> list[TimeMap]:
    even = [TimeMap.constant(length_samples, ratio) for ratio in (0.8, 0.9, 1.1, 1.25)]
    return [*even, bent(length_samples)]


def lag_ms(samples: Tensor, copy: Tensor, start: int, landing: float) -> float:
    """How much later than it should 5 ms of a hit are in the copy, by correlation."""
    sound, wanted = (np.diff(one.double().sum(0).numpy()) for one in (copy, samples))
    template = wanted[start - 2 : start + round(0.005 * RATE_HZ)]
    reach = round(0.02 * RATE_HZ)
    first = round(landing) - 2 - reach
    spans = np.lib.stride_tricks.sliding_window_view(
        sound[first : first + 2 * reach + len(template)], len(template)
    )
    norms = np.sqrt((spans**2).sum(1) + 1e-12)
    best = int(np.argmax(spans @ template / norms))
    return (first + best + 2 - landing) / RATE_HZ * 1000


@pytest.mark.parametrize("step_s", [0.25, 60 / 174 / 4])
def test_hits_land_within_half_a_millisecond(step_s: float) -> None:
    audio, starts = drums(16, step_s)
    for time_map in maps(audio.length_samples):
        copy = SliceStretcher().stretch(audio, Change(time_map)).samples
        landings = time_map.target_at(torch.tensor(starts)).tolist()
        lags = [lag_ms(audio.samples, copy, *pair) for pair in zip(starts, landings, strict=True)]
        assert np.abs(lags).max() < 0.5
        assert copy.shape == (2, time_map.target_samples)


def test_nothing_sounds_before_a_hit() -> None:
    audio, starts = drums(9, 0.5)
    for time_map in maps(audio.length_samples):
        copy = SliceStretcher().stretch(audio, Change(time_map)).samples
        for landing in time_map.target_at(torch.tensor(starts)).long().tolist():
            before = copy[:, landing - 882 : landing - 88].square().sum()
            after = copy[:, landing : landing + 882].square().sum()
            assert before < 10**-4.5 * after


def test_hits_are_the_sounds_own() -> None:
    """Sample by sample, for half of what is held."""
    audio, starts = drums(6, 0.25)
    time_map = TimeMap((0, audio.length_samples), (0, 2 * audio.length_samples))
    copy = SliceStretcher().stretch(audio, Change(time_map)).samples
    for start in starts:
        own = audio.samples[:, start : start + 1500]
        found = [
            float((copy[:, at : at + 1500] - own).abs().max())
            for at in range(2 * start - 4, 2 * start + 5)
        ]
        # Lows that sound on from the hit before are the copy's.
        assert min(found) < 0.01 * own.abs().max()


def test_hits_come_once() -> None:
    """Where a snare was, there is its like nowhere near but at its landing."""
    audio, starts = drums(8, 0.25, kinds=("snare",))
    for ratio in (0.8, 1.25):
        time_map = TimeMap.constant(audio.length_samples, ratio)
        copy = SliceStretcher().stretch(audio, Change(time_map)).samples[0].numpy()
        for start in starts:
            template = audio.samples[0, start : start + 300].numpy()
            landing = round(start * ratio)
            found = np.correlate(copy[max(0, landing - 4000) : landing + 4300], template)
            found = np.abs(found) / (template @ template)
            best = int(found.argmax())
            assert found[best] == pytest.approx(1, abs=0.05)
            found[max(0, best - 150) : best + 150] = 0
            assert found.max() < 0.5


def level_db(samples: Tensor, low_hz: float, high_hz: float) -> Tensor:
    """Level of a band by frames of 93 ms."""
    spectra = torch.stft(
        samples, 4096, 512, window=torch.hann_window(4096), center=False, return_complex=True
    )
    hz = torch.arange(2049) * (RATE_HZ / 4096)
    power = spectra.abs().square().sum(0)[(hz >= low_hz) & (hz <= high_hz)].sum(0)
    return 10 * torch.log10(power + 1e-12)


@pytest.mark.parametrize("ratio", [0.9, 1.1])
def test_sustained_sound_between_hits_has_no_holes(ratio: float) -> None:
    audio, _ = drums(24, 60 / 174 / 2, kinds=("hat",))
    at = torch.arange(audio.length_samples) / RATE_HZ
    bass = 0.3 * torch.sin(2 * torch.pi * 55 * at)
    hiss = 0.02 * torch.randn(2, len(at), generator=torch.Generator().manual_seed(1))
    both = Audio(audio.samples + bass + hiss, RATE_HZ)
    change = Change(TimeMap.constant(audio.length_samples, ratio))
    copy = SliceStretcher().stretch(both, change).samples
    for low_hz, high_hz, deepest_db in ((30, 90, -3.0), (3000, 12_000, -2.5)):
        there = level_db(copy, low_hz, high_hz)[8:-8]
        here = level_db(both.samples, low_hz, high_hz)[8:-8]
        assert there.min() - here.min() > deepest_db
        assert abs(there.median() - here.median()) < 1.5


def test_pieces_leave_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    audio, _ = drums(8, 0.2)
    bass = 0.3 * torch.sin(2 * torch.pi * 55 / RATE_HZ * torch.arange(audio.length_samples))
    both = Audio(audio.samples + bass, RATE_HZ)
    change = Change(TimeMap.constant(audio.length_samples, 1.1))
    whole = SliceStretcher().stretch(both, change).samples
    monkeypatch.setattr(slices, "_SAMPLES_AT_ONCE", 1 << 13)
    assert (SliceStretcher().stretch(both, change).samples - whole).abs().max() < 1e-5


def test_kicks_bring_their_own_lows_however_fast() -> None:
    """16ths at 200 BPM: their lows rise with every kick, so they are laid over."""
    audio, starts = drums(20, 60 / 200 / 4, kinds=("kick",))
    change = Change(TimeMap.constant(audio.length_samples, 1.1))
    copy = SliceStretcher().stretch(audio, change).samples
    likeness = []
    for start in starts[1:]:
        pair = torch.stack(
            [audio.samples[0, start : start + 1800], copy[0, round(start * 1.1) :][:1800]]
        )
        likeness.append(float(torch.corrcoef(pair)[0, 1]))
    assert np.mean(likeness) > 0.8


def test_pitch_moves_and_hits_stay_in_place() -> None:
    audio, starts = drums(6, 0.3, kinds=("kick", "snare"))
    time_map = bent(audio.length_samples)
    change = Change(time_map, semitones=2.0)
    copy = SliceStretcher().stretch(audio, change).samples
    assert copy.shape == (2, time_map.target_samples)
    still = Change(TimeMap.constant(audio.length_samples, 1.0), semitones=2.0)
    pitched = SliceStretcher().stretch(audio, still).samples
    for start, landing in zip(starts, time_map.target_at(torch.tensor(starts)), strict=True):
        assert abs(lag_ms(pitched, copy, start, float(landing))) < 1.0


@pytest.mark.parametrize("sample_rate", [8000, 48000, 96000])
@pytest.mark.parametrize("length_samples", [1, 2, 100, 5001])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_sound_gets_its_length(sample_rate: int, length_samples: int, channels: int) -> None:
    noise = torch.randn(channels, length_samples, generator=torch.Generator().manual_seed(2))
    for ratio, semitones in ((0.8, 0.0), (4.0, 0.0), (1.1, -2.0)):
        change = Change(TimeMap.constant(length_samples, ratio), semitones)
        copy = SliceStretcher().stretch(Audio(0.1 * noise, sample_rate), change)
        assert copy.samples.shape == (channels, change.time_map.target_samples)
        assert copy.samples.isfinite().all()
        assert copy.sample_rate == sample_rate


def test_silence_stays_and_nothing_is_done_for_nothing() -> None:
    silence = Audio(torch.zeros(2, 30_000), RATE_HZ)
    copy = SliceStretcher().stretch(silence, Change(TimeMap.constant(30_000, 1.2)))
    assert not copy.samples.any()
    audio, _ = drums(3, 0.2)
    same = SliceStretcher().stretch(audio, Change(TimeMap.constant(audio.length_samples, 1.0)))
    assert same is audio


def test_the_same_sound_gives_the_same_samples() -> None:
    audio, _ = drums(6, 0.2)
    change = Change(bent(audio.length_samples))
    once, again = (SliceStretcher().stretch(audio, change).samples for _ in range(2))
    assert torch.equal(once, again)


def test_a_map_of_another_sound_is_refused() -> None:
    audio, _ = drums(2, 0.2)
    with pytest.raises(InvalidInput, match=r"time_map: spans 5 samples"):
        SliceStretcher().stretch(audio, Change(TimeMap.constant(5, 1.1)))


@pytest.mark.gpu
def test_cuda_places_hits_as_the_cpu_does() -> None:
    audio, starts = drums(8, 0.25)
    time_map = bent(audio.length_samples)
    copy = SliceStretcher().stretch(Audio(audio.samples.cuda(), RATE_HZ), Change(time_map))
    assert copy.samples.is_cuda
    for start, landing in zip(starts, time_map.target_at(torch.tensor(starts)), strict=True):
        assert abs(lag_ms(audio.samples, copy.samples.cpu(), start, float(landing))) < 1.0
