"""The band's instruments, sampled: few notes are made, the others are those at another speed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from synth import instruments
from synth.core import RATE_HZ, Signal, band, envelope, midi_hz, pan, samples, saw, sine, square

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Voice:
    """An instrument.

    Attributes:
        play: makes a note of a pitch in Hz and a duration in seconds.
        longest_s: a note that is held longer ends here.
        release_s: how fast a note that is cut short fades.
        early_s: how long before its time a player with a slow bow or breath begins.
    """

    play: Callable[[np.random.Generator, float, float], Signal]
    longest_s: float
    release_s: float = 0.06
    early_s: float = 0.0


def _tone(time: Signal, pitch_hz: float, cents: float = 0.0, vibrato: float = 0.0) -> Signal:
    """Phase in cycles of a slightly detuned tone, with a vibrato that sets in late."""
    hz = pitch_hz * 2 ** (cents / 1200)
    if not vibrato:
        return time * hz
    depth = vibrato * hz * np.clip((time - 0.25) / 0.4, 0, 1) / (2 * np.pi * 5.3)
    return np.asarray(time * hz + depth * np.sin(2 * np.pi * 5.3 * time))


def _pad(rng: np.random.Generator, pitch_hz: float, duration_s: float) -> Signal:
    gain = envelope(duration_s, attack_s=0.12, decay_s=1.0, sustain=0.85, release_s=0.3)
    time = np.arange(len(gain)) / RATE_HZ
    out = np.zeros((2, len(gain)))
    for cents, place in ((-9, -0.7), (0, 0.0), (8, 0.7)):
        out += pan(saw(_tone(time, pitch_hz, cents) + rng.uniform(), pitch_hz) * gain, place)
    return 0.3 * band(out, 90, min(6_000, 900 + 2 * pitch_hz))


def _bowed(
    rng: np.random.Generator, pitch_hz: float, duration_s: float, *, players: int, attack_s: float
) -> Signal:
    gain = envelope(duration_s, attack_s=attack_s, decay_s=0.8, sustain=0.85, release_s=0.15)
    time = np.arange(len(gain)) / RATE_HZ
    out = np.zeros_like(time)
    for _ in range(players):
        phase = _tone(time, pitch_hz, rng.normal(0, 3), 0.004)
        out += saw(phase + rng.uniform(), pitch_hz * 1.02)
    return 0.5 / players * band(out * gain, 0.7 * pitch_hz, min(7_000, 1_500 + 3 * pitch_hz))


def _organ(_rng: np.random.Generator, pitch_hz: float, duration_s: float) -> Signal:
    gain = envelope(duration_s, attack_s=0.006, release_s=0.05)
    time = np.arange(len(gain)) / RATE_HZ
    drawbars = ((1, 1.0), (2, 0.6), (3, 0.35), (4, 0.25), (6, 0.1))
    return 0.3 * gain * sum(level * sine(time * pitch_hz * order) for order, level in drawbars)


def _lead(rng: np.random.Generator, pitch_hz: float, duration_s: float) -> Signal:
    gain = envelope(duration_s, attack_s=0.006, decay_s=0.3, sustain=0.7, release_s=0.08)
    time = np.arange(len(gain)) / RATE_HZ
    tone = saw(_tone(time, pitch_hz, 4, 0.006) + rng.uniform(), pitch_hz * 1.02)
    tone += square(_tone(time, pitch_hz, -4, 0.006), pitch_hz * 1.02)
    return 0.4 * band(tone * gain, 120, 4_200)


def _flute(rng: np.random.Generator, pitch_hz: float, duration_s: float) -> Signal:
    gain = envelope(duration_s, attack_s=0.045, decay_s=0.5, sustain=0.85, release_s=0.08)
    phase = _tone(np.arange(len(gain)) / RATE_HZ, pitch_hz, 0, 0.005)
    breath = band(rng.standard_normal(len(gain)), 1_500, 6_000)
    tone = sine(phase) + 0.3 * sine(2 * phase) + 0.12 * sine(3 * phase)
    return np.asarray(0.5 * gain * (tone + 0.06 * breath))


def _crunch(rng: np.random.Generator, pitch_hz: float, duration_s: float) -> Signal:
    string = instruments.guitar(rng, pitch_hz, duration_s)
    loud = np.tanh(9 * string / (np.abs(string).max() + 1e-9))
    return 0.4 * band(loud, 90, 4_500) * envelope(duration_s, attack_s=0.001, release_s=0.15)


def _finger(rng: np.random.Generator, pitch_hz: float, duration_s: float) -> Signal:
    """A bass guitar: a dull string, and its fundamental, which small bodies lack."""
    string = band(instruments.guitar(rng, pitch_hz, duration_s), 35, 900)
    string /= np.abs(string).max() + 1e-9
    gain = envelope(duration_s, attack_s=0.004, decay_s=0.7, sustain=0.3, release_s=0.15)
    under = sine(np.arange(len(gain)) / RATE_HZ * pitch_hz) * gain
    return np.asarray(0.5 * string[: len(gain)] + 0.5 * under)


def _no_rng(
    play: Callable[[float, float], Signal],
) -> Callable[[np.random.Generator, float, float], Signal]:
    return lambda _rng, pitch_hz, duration_s: play(pitch_hz, duration_s)


VOICES = {
    "pad": Voice(_pad, 6.0, 0.25, 0.06),
    "strings": Voice(partial(_bowed, players=3, attack_s=0.09), 6.0, 0.2, 0.045),
    "violin": Voice(partial(_bowed, players=1, attack_s=0.05), 3.0, 0.1, 0.02),
    "cello": Voice(partial(_bowed, players=1, attack_s=0.05), 4.0, 0.1, 0.02),
    "organ": Voice(_organ, 6.0, 0.05),
    "lead": Voice(_lead, 2.5, 0.07),
    "flute": Voice(_flute, 3.0, 0.08, 0.015),
    "crunch": Voice(_crunch, 2.0, 0.04),
    "finger": Voice(_finger, 1.8, 0.05),
    "guitar": Voice(instruments.guitar, 2.0, 0.08),
    "piano": Voice(instruments.house_piano, 2.0, 0.12),
    "keys": Voice(_no_rng(instruments.electric_piano), 3.0, 0.12),
    "bell": Voice(_no_rng(instruments.bell), 0.9, 0.3),
    "pluck": Voice(instruments.pluck, 0.6, 0.08),
    "sub": Voice(_no_rng(instruments.sub_bass), 3.0, 0.04),
    "saw_bass": Voice(_no_rng(instruments.saw_bass), 1.2, 0.03),
    "reese": Voice(instruments.reese, 1.5, 0.04),
}
_SPACING = 4


class Sampler:
    """Plays one voice from notes made every fourth semitone.

    Between them a note is read faster or slower by linear interpolation, as samplers do.
    """

    def __init__(self, voice: Voice, rng: np.random.Generator, tuning_cents: float) -> None:
        self.voice = voice
        self._rng = rng
        self._tuning = tuning_cents / 100
        self._made: dict[int, Signal] = {}
        self._cut: dict[tuple[int, int], Signal] = {}

    def note(self, midi: int, duration_s: float, needed_s: float) -> Signal:
        """A note, mono or stereo.

        Args:
            midi: its pitch.
            duration_s: how long it is held, rounded to centiseconds.
            needed_s: the longest duration of any note of this voice in the song.
        """
        length_s = min(duration_s, needed_s, self.voice.longest_s)
        key = midi, round(100 * length_s)
        if key not in self._cut:
            self._cut[key] = self._cut_note(midi, length_s, min(needed_s, self.voice.longest_s))
        return self._cut[key]

    def _cut_note(self, midi: int, length_s: float, needed_s: float) -> Signal:
        root = round(midi / _SPACING) * _SPACING
        if root not in self._made:
            # A note read faster is shorter: a quarter more than needed is enough for two semitones.
            hz = midi_hz(root + self._tuning)
            made = self.voice.play(self._rng, hz, 1.15 * needed_s + 0.05)
            self._made[root] = made
        made, speed = self._made[root], 2 ** ((midi - root) / 12)
        whole = made.shape[-1]
        count = min(samples(length_s + self.voice.release_s), int((whole - 1) / speed))
        at = np.arange(count) * speed
        index = at.astype(np.intp)
        part, low = at - index, made[..., index]
        note = low + (made[..., np.minimum(index + 1, whole - 1)] - low) * part
        fade = min(count, samples(self.voice.release_s))
        note[..., count - fade :] *= 0.5 + 0.5 * np.cos(np.pi * np.linspace(0, 1, fade))
        return np.asarray(note)
