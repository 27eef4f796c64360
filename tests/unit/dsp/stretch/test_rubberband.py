"""Rubber Band, where it is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from benchmarks import hits_and_chords as sounds
from benchmarks.stretching import convergence, jitter_ms
from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.stretch.engine import Change
from mashup_worker.dsp.stretch.rubberband import RubberBand
from mashup_worker.dsp.stretch.time_map import TimeMap
from mashup_worker.errors import EXIT_ENVIRONMENT, EngineUnavailable, InvalidInput, MashupError
from tests.unit.dsp.stretch.changes import CHANGES, noise

if TYPE_CHECKING:
    from pathlib import Path

FINE, FAST = RubberBand("fine"), RubberBand("fast")
STILL = sounds.even(1.0, 2.0)

installed = pytest.mark.skipif(not RubberBand.available(), reason="no rubberband command")
both = pytest.mark.parametrize("engine", [FINE, FAST], ids=lambda engine: engine.name)


@installed
@both
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("source", "target", "semitones"), CHANGES)
def test_lengths_are_exact(
    engine: RubberBand,
    channels: int,
    source: tuple[int, ...],
    target: tuple[int, ...],
    semitones: float,
) -> None:
    copy = engine.stretch(noise(source[-1], channels), Change(TimeMap(source, target), semitones))
    assert copy.samples.shape == (channels, target[-1])
    assert copy.samples.dtype == torch.float32
    assert copy.samples.isfinite().all()
    assert copy.sample_rate == 44100


@installed
@pytest.mark.parametrize("time_map", [sounds.even(0.8, 2.0), sounds.uneven(1.1, 2.0)])
def test_attacks_land_where_the_map_takes_them(time_map: TimeMap) -> None:
    hits = sounds.single_hits(50, 2.0)
    copy = FINE.stretch(hits.audio, Change(time_map))
    assert np.percentile(jitter_ms(hits, copy, time_map), 95) < 2


@installed
@both
def test_time_and_pitch_change_together(engine: RubberBand) -> None:
    time_map = sounds.uneven(0.9, 2.0)
    copy = engine.stretch(sounds.chords(50, STILL), Change(time_map, 2.0))
    wanted = sounds.chords(50, time_map, 2.0)
    assert convergence(copy.samples, wanted.samples) < 0.3


@installed
def test_channels_keep_their_phase_relations() -> None:
    time_map = sounds.even(1.25, 2.0)
    copy = FINE.stretch(sounds.chords(50, STILL), Change(time_map))
    side = sounds.chords(50, time_map).samples.diff(dim=0)
    assert convergence(copy.samples.diff(dim=0), side) < 0.35


@installed
def test_a_voice_keeps_its_formants_when_asked_to() -> None:
    source, wanted = sounds.voice(50, STILL), sounds.voice(50, STILL, 4.0)
    kept, moved = (
        convergence(FINE.stretch(source, Change(STILL, 4.0, keep)).samples, wanted.samples)
        for keep in (True, False)
    )
    assert kept < 0.8 * moved


@installed
@both
def test_sound_at_full_scale_keeps_its_level(engine: RubberBand) -> None:
    at = torch.arange(88_200) / 44100
    tones = [torch.sin(2 * torch.pi * hz * at) for hz in (55.0, 110.0, 165.0, 220.0, 331.0)]
    limited = Audio(torch.sign(torch.stack(tones).sum(0)).expand(2, -1), 44100)
    copy = engine.stretch(limited, Change(TimeMap.constant(88_200, 1.25)))
    level_db = 20 * torch.log10(copy.samples.square().mean().sqrt())
    assert -1 < level_db < 0.5
    assert copy.samples.abs().max() > 1.5


@installed
def test_quiet_sound_loses_nothing_to_files_of_16_bits() -> None:
    change = Change(TimeMap.constant(20_000, 1.1))
    loud, quiet = noise(20_000), Audio(1e-5 * noise(20_000).samples, 44100)
    expected = 1e-5 * FINE.stretch(loud, change).samples
    assert torch.allclose(FINE.stretch(quiet, change).samples, expected, atol=1e-9)


@pytest.mark.parametrize("level", [0.0, 1e-30, 1e-42])
def test_silence_stays_silent(level: float) -> None:
    silence = Audio(torch.full((2, 5000), level), 44100)
    copy = FINE.stretch(silence, Change(TimeMap.constant(5000, 1.3)))
    assert copy.samples.shape == (2, 6500)
    assert not copy.samples.any()


def test_an_identity_change_changes_nothing() -> None:
    audio = noise(3000)
    assert FINE.stretch(audio, Change(TimeMap.constant(3000, 1.0))) is audio
    too_long = TimeMap.constant(3000, 5.0)
    with pytest.raises(InvalidInput, match=r"ratio"):
        FINE.stretch(audio, Change(too_long))


def test_a_missing_command_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not RubberBand.available()
    with pytest.raises(EngineUnavailable, match=r"rubberband is not installed") as caught:
        FAST.stretch(noise(1000), Change(TimeMap.constant(1000, 1.1)))
    assert caught.value.exit_code == EXIT_ENVIRONMENT


def test_a_failing_command_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    command = tmp_path / "rubberband"
    command.write_text("#!/bin/sh\nexit 7\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MashupError, match=r"rubberband: ended with status 7"):
        FINE.stretch(noise(1000), Change(TimeMap.constant(1000, 1.1)))
