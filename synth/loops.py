"""Loops of a drum machine, dry and exactly in time, with or without bass and chords.

The songs of `bandstand` are played by people in rooms; much music is not, and digital silence
between strokes makes for other evidence. These are for fitting only.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mashup_worker.audio.signal import Audio
from synth import drums
from synth.core import RATE_HZ, Signal, envelope, midi_hz, saw, sine, times
from synth.keys import SCALES
from synth.song import Song, Truth
from synth.tables import read_table
from synth.timeline import Track, hits

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEGREES = {
    "major": ((0, 7, 9, 5), (0, 5, 7, 0), (0, 9, 5, 7)),
    "minor": ((0, 8, 3, 10), (0, 5, 7, 0)),
}
_TONICS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")


def loop(seed: int) -> Song:
    """The loop of a seed, 20 to 45 s long."""
    rng = np.random.default_rng([7, seed])
    styles = _styles()
    style = str(rng.choice(list(styles)))
    slowest, fastest = styles[style]["tempo_bpm"]
    patterns = [styles[style][drum] for drum in ("kicks", "snares", "hats")]
    tempo_bpm = float(np.round(rng.uniform(slowest, fastest), rng.integers(0, 3)))
    per_bar = 3 if style == "waltz" else 4
    beat_s, start_s = 60 / tempo_bpm, float(rng.choice([0.0, rng.uniform(0, 1.5)]))
    bars = int(rng.uniform(20, 45) / (per_bar * beat_s)) // 4 * 4 + 4
    count = bars * per_bar
    tonic, mode = int(rng.integers(12)), str(rng.choice(["major", "minor"]))
    has_drums, has_chords = rng.random() < 0.8, rng.random() < 0.6
    has_chords = has_chords or not has_drums
    stems = {}
    if has_drums:
        chosen = [str(rng.choice(options)) for options in patterns]
        stems["drums"] = _drums(rng, chosen, bars, per_bar, beat_s, start_s)
    if has_chords:
        roots = _DEGREES[mode][int(rng.integers(len(_DEGREES[mode])))]
        bass, other = _chords(rng, (tonic, mode, roots), bars, per_bar, beat_s, start_s)
        stems |= {"bass": bass, "other": other} if rng.random() < 0.7 else {"other": other}
    beats = start_s + np.arange(count) * beat_s
    truth = Truth(
        tempo_bpm=tempo_bpm,
        beats_s=tuple(beats.tolist()),
        downbeats_s=tuple(beats[::per_bar].tolist()),
        beats_per_bar=per_bar,
        key=f"{_TONICS[tonic]} {mode}" if has_chords else None,
        tuning_cents=0.0,
        has_drums=has_drums,
        style=style,
    )
    sounds = {
        kind: Audio(torch.from_numpy(sound).float(), RATE_HZ) for kind, sound in stems.items()
    }
    mix = torch.stack([sound.samples for sound in sounds.values()]).sum(dim=0)
    return Song(f"loop-{seed}", Audio(mix, RATE_HZ), sounds, truth)


@cache
def _styles() -> Mapping[str, Any]:
    return read_table("loops.toml")


def _drums(
    rng: np.random.Generator,
    patterns: list[str],
    bars: int,
    per_bar: int,
    beat_s: float,
    start_s: float,
) -> Signal:
    takes = (
        drums.kick(rng, half_life_s=rng.uniform(0.05, 0.12)),
        drums.snare(rng) if rng.random() < 0.6 else drums.clap(rng),
        drums.hat(rng),
    )
    gains = (0.8, rng.uniform(0.4, 0.8), rng.uniform(0.1, 0.35))
    track = Track(start_s + bars * per_bar * beat_s)
    for bar in range(bars):
        for pattern, take, gain in zip(patterns, takes, gains, strict=True):
            for beat, velocity in hits(pattern):
                track.add(take, start_s + (bar * per_bar + beat) * beat_s, gain * velocity)
    return track.sound


def _chords(
    rng: np.random.Generator,
    song: tuple[int, str, tuple[int, ...]],
    bars: int,
    per_bar: int,
    beat_s: float,
    start_s: float,
) -> tuple[Signal, Signal]:
    tonic, mode, roots = song
    low, high = (Track(start_s + bars * per_bar * beat_s) for _ in range(2))
    step = float(rng.choice([per_bar, 1, 0.5]))
    bass_step = float(rng.choice([per_bar, 1]))
    scale = SCALES[mode]
    for bar in range(bars):
        degree = roots[bar % len(roots)]
        place = scale.index(degree)
        notes = [scale[(place + k) % 7] for k in (0, 2, 4)]
        at_s = start_s + bar * per_bar * beat_s
        for k in np.arange(0, per_bar, bass_step):
            low.add(0.35 * _note(tonic + degree + 36, bass_step * beat_s), at_s + k * beat_s)
        for k in np.arange(0, per_bar, step):
            gain = 0.12 if k else 0.15
            for note in notes:
                high.add(gain * _note(tonic + note + 60, step * beat_s), at_s + k * beat_s)
    return low.sound, high.sound


def _note(pitch: int, duration_s: float) -> Signal:
    hz = midi_hz(pitch)
    gain = envelope(0.9 * duration_s, decay_s=0.4, sustain=0.4, release_s=0.05)
    time = times(len(gain) / RATE_HZ)[: len(gain)]
    return gain * (0.6 * sine(time * hz) + 0.4 * saw(time * hz, hz))
