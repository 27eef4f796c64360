"""What the songs share: their shape, and how scores become sounds on tracks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from synth.core import RATE_HZ, Signal, band, note_hz
from synth.effects import bell_curve, compress, echo, reverb, saturate, shelf
from synth.timeline import Grid, Track, hits
from synth.voice import Singer, Sung, sing

STEMS = ("vocals", "drums", "bass", "other")

Line = Sequence[tuple[float, float, str, str]]
"""A sung line: beat within the section, length in beats, pitch, phonemes of the syllable."""


@dataclass(frozen=True)
class Song:
    """A song and its truth.

    Attributes:
        key: tonic and mode, such as `"A minor"`.
        mix_db: gain of each stem in the mix.
        master_gain_db: gain before the limiter, chosen for the loudness wanted.
        play: plays the score on a grid and returns a stereo track for each of `STEMS`.
    """

    slug: str
    title: str
    key: str
    grid: Grid
    mix_db: dict[str, float]
    master_gain_db: float
    play: Callable[[Grid], dict[str, Signal]]


def strike(
    track: Track,
    grid: Grid,
    bar: float,
    pattern: str,
    takes: Sequence[Signal],
    rng: np.random.Generator,
    *,
    gain: float = 1.0,
    position: float = 0.0,
    loose_s: float = 0.0,
) -> None:
    """Play a pattern of sixteenths, alternating takes, with a little human unevenness.

    Args:
        track: where the hits go.
        grid: when they go there.
        bar: bar at which the pattern starts.
        pattern: velocities, a letter a sixteenth.
        takes: sounds of the drum.
        rng: chooses takes and unevenness.
        gain: factor of every hit.
        position: place between left (-1) and right (1).
        loose_s: how far hits off the beats may stray; those on beats stay on the grid.
    """
    for beat, velocity in hits(pattern):
        stray_s = 0.0 if beat % 1 == 0 else rng.uniform(-loose_s, loose_s)
        take = takes[int(rng.integers(len(takes)))]
        uneven = rng.uniform(0.92, 1.04)
        track.add(take, grid.at_s(bar, beat) + stray_s, gain * velocity * uneven, position)


def voiced(grid: Grid, placed: Sequence[tuple[float, Line]], *, late_s: float = 0.0) -> list[Sung]:
    """Syllables of several lines, each starting at its bar, as the singer wants them."""
    return [
        Sung(
            start_s=grid.at_s(bar, beat) + late_s,
            duration_s=0.97 * beats * grid.beat_s,
            pitch_hz=note_hz(pitch),
            syllable=syllable,
        )
        for bar, line in placed
        for beat, beats, pitch, syllable in line
        if grid.at_s(bar, beat) < grid.duration_s - 0.1
    ]


def choir(
    grid: Grid, lead: Sequence[Sung], singers: Sequence[tuple[Singer, float, float]]
) -> Track:
    """Several singers on the same notes, each with its gain and place; the doubles a bit late."""
    track = Track(grid.duration_s)
    for singer, gain, position in singers:
        voice = sing(lead, singer, grid.duration_s)
        voice = compress(band(voice, 95), threshold_db=-24, ratio=3.0)
        late_s = 0.0 if position == 0 else 0.009 + 0.008 * position
        track.add(voice, late_s, gain, position)
    return track


def polish_vocals(
    dry: Signal,
    grid: Grid,
    rng: np.random.Generator,
    *,
    room: float = 0.12,
    repeats: float = 0.12,
    delay_beats: float = 0.75,
) -> Signal:
    """A vocal chain: presence, air, a little saturation, plate and tempo delay."""
    bright = bell_curve(shelf(shelf(dry, 1_700, 5.5), 5_000, 9.0), 3_000, 5.0, 0.7)
    bright = saturate(bright, 3.0)
    plate = reverb(band(bright, None, 6_000), rng, decay_s=1.5, pre_delay_s=0.035, low_cut_hz=350)
    bounced = echo(bright, delay_beats * grid.beat_s, feedback=0.38)
    return bright + room * plate + repeats * bounced


def fade_out(sound: Signal, duration_s: float = 0.35) -> Signal:
    """Bring the very end down to silence."""
    count = min(round(duration_s * RATE_HZ), sound.shape[1])
    faded = sound.copy()
    faded[:, -count:] *= 0.5 + 0.5 * np.cos(np.pi * np.linspace(0, 1, count))
    return faded
