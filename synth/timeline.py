"""Musical time, and tracks on which sounds are put."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth.core import RATE_HZ, Signal, pan, samples

BEATS_PER_BAR = 4
STEPS_PER_BAR = 16
VELOCITY = {"X": 1.0, "x": 0.78, "o": 0.55, "g": 0.3, ".": 0.0}
"""What the letters of a drum pattern mean; `g` is a ghost note."""


def swung_position(part: float, swing: float) -> float:
    """Return where a straight position in a pair of notes, 0 to 1, falls when its middle swings."""
    return part * 2 * swing if part <= 0.5 else 1 - (1 - part) * 2 * (1 - swing)


@dataclass(frozen=True)
class Grid:
    """The beats of a song with a constant tempo.

    Attributes:
        tempo_bpm: beats a minute.
        bars: length in bars of four beats.
        swing: where in an eighth its second sixteenth falls; 0.5 is straight.
    """

    tempo_bpm: float
    bars: int
    swing: float = 0.5

    @property
    def beat_s(self) -> float:
        """Length of a beat."""
        return 60.0 / self.tempo_bpm

    @property
    def duration_s(self) -> float:
        """Length of the song."""
        return self.bars * BEATS_PER_BAR * self.beat_s

    def at_s(self, bar: float, beat: float = 0.0) -> float:
        """Time of a beat, counted from 0 within a bar counted from 0; sixteenths swing."""
        total = bar * BEATS_PER_BAR + beat
        eighth = np.floor(total * 2 + 1e-9)
        rest = total * 2 - eighth
        return float((eighth + swung_position(rest, self.swing)) / 2 * self.beat_s)

    def beats_s(self) -> list[float]:
        """Time of every beat."""
        return [index * 60.0 / self.tempo_bpm for index in range(self.bars * BEATS_PER_BAR)]


class Track:
    """A stereo track of fixed length to which sounds are added."""

    def __init__(self, duration_s: float) -> None:
        self.sound: Signal = np.zeros((2, samples(duration_s)))

    def add(self, sound: Signal, at_s: float, gain: float = 1.0, position: float = 0.0) -> None:
        """Add a mono sound at a place between left (-1) and right (1), or a stereo sound as is.

        What lies beyond the end of the track is lost.
        """
        stereo = pan(sound, position) if sound.ndim == 1 else sound
        start = round(at_s * RATE_HZ)
        piece = self.sound[:, start : start + stereo.shape[1]]
        piece += gain * stereo[:, : piece.shape[1]]


def hits(pattern: str) -> list[tuple[float, float]]:
    """Beats and velocities of a pattern of sixteenths such as `"X...o...X..g...."`."""
    steps = pattern.replace(" ", "")
    return [(i / 4, VELOCITY[letter]) for i, letter in enumerate(steps) if letter != "."]
