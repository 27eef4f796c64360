"""Signalsmith Stretch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks import hits_and_chords as sounds
from benchmarks.stretching import convergence, jitter_ms
from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.stretch.engine import Change
from mashup_worker.dsp.stretch.signalsmith import Signalsmith
from mashup_worker.dsp.stretch.time_map import TimeMap
from mashup_worker.errors import InvalidInput
from tests.unit.dsp.stretch.changes import CHANGES, noise

ENGINE = Signalsmith()


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("sample_rate", [8000, 44100, 96000])
@pytest.mark.parametrize(("source", "target", "semitones"), CHANGES)
def test_lengths_are_exact(
    channels: int,
    sample_rate: int,
    source: tuple[int, ...],
    target: tuple[int, ...],
    semitones: float,
) -> None:
    audio = noise(source[-1], channels, sample_rate)
    copy = ENGINE.stretch(audio, Change(TimeMap(source, target), semitones))
    assert copy.samples.shape == (channels, target[-1])
    assert copy.samples.isfinite().all()
    assert copy.sample_rate == sample_rate


@pytest.mark.parametrize(
    "time_map", [sounds.even(0.8, 2.0), sounds.even(1.25, 2.0), sounds.uneven(1.1, 2.0)]
)
def test_attacks_land_where_the_map_takes_them(time_map: TimeMap) -> None:
    hits = sounds.single_hits(50, 2.0)
    jitter = jitter_ms(hits, ENGINE.stretch(hits.audio, Change(time_map)), time_map)
    assert np.median(jitter) < 1
    assert np.percentile(jitter, 95) < 3


def test_chords_are_preserved() -> None:
    time_map = sounds.uneven(0.9, 2.0)
    copy = ENGINE.stretch(sounds.chords(50, sounds.even(1.0, 2.0)), Change(time_map, 2.0)).samples
    wanted = sounds.chords(50, time_map, 2.0).samples
    assert convergence(copy, wanted) < 0.3
    assert convergence(copy.diff(dim=0), wanted.diff(dim=0)) < 0.3


def test_pieces_shorter_than_the_fades_between_them_add_up() -> None:
    audio = noise(44_100)
    anchors = tuple(range(0, 33_000, 300))
    time_map = TimeMap((*anchors, 44_100), (*anchors, 46_000))
    copy = ENGINE.stretch(audio, Change(time_map)).samples[:, 8000:28_000]
    error = copy - audio.samples[:, 8000:28_000]
    assert error.square().mean() < 1e-3 * copy.square().mean()


def test_twice_the_same_sound_gives_the_same_copy() -> None:
    change = Change(TimeMap((0, 5000, 20_000), (0, 6000, 20_000)), 1.0)
    first, second = (ENGINE.stretch(noise(20_000), change).samples for _ in range(2))
    assert torch.equal(first, second)


def test_silence_stays_silent() -> None:
    copy = ENGINE.stretch(Audio(torch.zeros(1, 9000), 44100), Change(TimeMap.constant(9000, 0.7)))
    assert copy.samples.shape == (1, 6300)
    assert not copy.samples.any()


def test_an_identity_change_changes_nothing() -> None:
    audio = noise(3000)
    assert ENGINE.stretch(audio, Change(TimeMap.constant(3000, 1.0))) is audio
    with pytest.raises(InvalidInput, match=r"spans 2000 samples"):
        ENGINE.stretch(audio, Change(TimeMap.constant(2000, 1.1)))


@pytest.mark.gpu
def test_sound_on_cuda_comes_back_to_it() -> None:
    audio, change = noise(20_000), Change(TimeMap.constant(20_000, 1.2))
    copy = ENGINE.stretch(Audio(audio.samples.cuda(), 44100), change).samples
    assert copy.is_cuda
    assert torch.equal(copy.cpu(), ENGINE.stretch(audio, change).samples)
