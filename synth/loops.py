"""Loops of a drum machine, dry and exactly in time, with or without bass and chords.

The songs of `bandstand` are played by people in rooms; much music is not, and digital silence
between strokes makes for other evidence. These are for fitting only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
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
    from collections.abc import Mapping, Sequence

_DEGREES = {
    "major": ((0, 7, 9, 5), (0, 5, 7, 0), (0, 9, 5, 7), (9, 5, 0, 7), (2, 7, 0, 0), (0, 5, 0, 5)),
    "minor": (
        (0, 8, 3, 10),
        (0, 5, 7, 0),
        (0, 10, 8, 7),
        (0, 5, 10, 3),
        (8, 10, 0, 0),
        (0, 0, 8, 7),
    ),
}
_RAISED_SEVENTH = 0.5
_NOISY = 0.4
_TONICS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")


@dataclass(frozen=True)
class _Grid:
    """Time of a loop."""

    start_s: float
    beat_s: float
    per_bar: int
    bars: int

    @property
    def stop_s(self) -> float:
        return self.start_s + self.bars * self.per_bar * self.beat_s

    def at(self, bar: int, beat: float) -> float:
        return self.start_s + (bar * self.per_bar + beat) * self.beat_s


def loop(seed: int) -> Song:
    """The loop of a seed, 20 to 45 s long."""
    rng = np.random.default_rng([7, seed])
    styles = _styles()
    weights = np.array([style.get("weight", 1) for style in styles.values()])
    name = str(rng.choice(list(styles), p=weights / weights.sum()))
    style = styles[name]
    tempo_bpm = float(np.round(rng.uniform(*style["tempo_bpm"]), rng.integers(0, 3)))
    per_bar, steps = style.get("beats_per_bar", 4), style.get("steps_per_beat", 4)
    beat_s, start_s = 60 / tempo_bpm, float(rng.choice([0.0, rng.uniform(0, 1.5)]))
    bars = max(6, int(rng.uniform(20, 45) / (per_bar * beat_s)) // 4 * 4 + 4)
    grid = _Grid(start_s, beat_s, per_bar, bars)
    tonic, mode = int(rng.integers(12)), str(rng.choice(["major", "minor"]))
    has_drums, has_chords = rng.random() < 0.85, rng.random() < 0.65
    has_chords = has_chords or not has_drums or name == "no drums"
    stems = {}
    if has_drums:
        drawn = [str(rng.choice(style[drum])) for drum in ("kicks", "snares", "hats")]
        stems["drums"] = _drums(rng, [_hits(one, steps) for one in drawn], grid)
    if has_chords:
        roots = _DEGREES[mode][int(rng.integers(len(_DEGREES[mode])))]
        parts = [_part(rng, style.get(part), steps, per_bar) for part in ("bass", "chords")]
        bass, other = _chords(rng, (tonic, mode, roots), parts, grid)
        stems |= {"bass": bass, "other": other} if rng.random() < 0.7 else {"other": other}
    beats = start_s + np.arange(bars * per_bar) * beat_s
    truth = Truth(
        tempo_bpm=tempo_bpm,
        beats_s=tuple(beats.tolist()),
        downbeats_s=tuple(beats[::per_bar].tolist()),
        beats_per_bar=per_bar,
        key=f"{_TONICS[tonic]} {mode}" if has_chords else None,
        tuning_cents=0.0,
        has_drums=has_drums,
        style=name,
    )
    noise = _noise(seed, max(sound.shape[-1] for sound in stems.values()))
    sounds = {
        kind: Audio(torch.from_numpy(sound + noise[: sound.shape[-1]]).float(), RATE_HZ)
        for kind, sound in stems.items()
    }
    mix = torch.stack([sound.samples for sound in sounds.values()]).sum(dim=0)
    return Song(f"loop-{seed}", Audio(mix, RATE_HZ), sounds, truth)


def _noise(seed: int, samples: int) -> Signal:
    """Return the noise of a room, or silence for most loops, shape `(samples,)`."""
    rng = np.random.default_rng([11, seed])
    if rng.random() >= _NOISY:
        return np.zeros(samples)
    return np.asarray(10 ** rng.uniform(-4.5, -2.2) * rng.standard_normal(samples))


@cache
def _styles() -> Mapping[str, Any]:
    return read_table("loops.toml")


def _hits(pattern: str, steps_per_beat: int) -> list[tuple[float, float]]:
    """Beats and velocities of a pattern."""
    return [(beat * 4 / steps_per_beat, velocity) for beat, velocity in hits(pattern)]


def _part(
    rng: np.random.Generator, patterns: Sequence[str] | None, steps_per_beat: int, per_bar: int
) -> list[tuple[float, float]]:
    """Beats and velocities of the bass or the chords in a bar."""
    if patterns:
        return _hits(str(rng.choice(patterns)), steps_per_beat)
    step = float(rng.choice([per_bar, 1, 0.5]))
    return [(float(beat), 0.8 if beat else 1.0) for beat in np.arange(0, per_bar, step)]


def _drums(
    rng: np.random.Generator, patterns: Sequence[list[tuple[float, float]]], grid: _Grid
) -> Signal:
    takes = (
        drums.kick(rng, half_life_s=rng.uniform(0.05, 0.12)),
        drums.snare(rng) if rng.random() < 0.6 else drums.clap(rng),
        drums.hat(rng, half_life_s=rng.choice([0.018, 0.05])),
    )
    gains = (0.8, rng.uniform(0.4, 0.8), rng.uniform(0.1, 0.6))
    swing = rng.choice([0.0, 0.0, rng.uniform(0, 0.04)])
    track = Track(grid.stop_s)
    for bar in range(grid.bars):
        for pattern, take, gain in zip(patterns, takes, gains, strict=True):
            for beat, velocity in pattern:
                late = swing if round(beat * 4) % 2 else 0.0
                track.add(take, grid.at(bar, beat + late), gain * velocity)
    return track.sound


def _chords(
    rng: np.random.Generator,
    song: tuple[int, str, tuple[int, ...]],
    parts: Sequence[list[tuple[float, float]]],
    grid: _Grid,
) -> tuple[Signal, Signal]:
    tonic, mode, roots = song
    low, high = (Track(grid.stop_s) for _ in range(2))
    scale = SCALES[mode]
    every, raised = int(rng.choice([1, 1, 2])), mode == "minor" and rng.random() < _RAISED_SEVENTH
    lengths = [_lengths(part, grid.per_bar) for part in parts]
    for bar in range(grid.bars):
        degree = roots[bar // every % len(roots)]
        place = scale.index(degree)
        notes = [scale[(place + k) % 7] for k in (0, 2, 4)]
        if raised and degree == 7:
            notes[1] += 1
        for (beat, velocity), length in zip(parts[0], lengths[0], strict=True):
            note = _note(tonic + degree + 36, length * grid.beat_s)
            low.add(0.35 * velocity * note, grid.at(bar, beat))
        for (beat, velocity), length in zip(parts[1], lengths[1], strict=True):
            for pitch in notes:
                sound = _note(tonic + pitch + 60, length * grid.beat_s)
                high.add(0.15 * velocity * sound, grid.at(bar, beat))
    return low.sound, high.sound


def _lengths(part: Sequence[tuple[float, float]], per_bar: int) -> list[float]:
    """Beats from each note to the next, or to the end of the bar."""
    starts = [beat for beat, _ in part]
    return [stop - start for start, stop in pairwise([*starts, float(per_bar)])]


def _note(pitch: int, duration_s: float) -> Signal:
    hz = midi_hz(pitch)
    gain = envelope(0.9 * duration_s, decay_s=0.4, sustain=0.4, release_s=0.05)
    time = times(len(gain) / RATE_HZ)[: len(gain)]
    return gain * (0.6 * sine(time * hz) + 0.4 * saw(time * hz, hz))
