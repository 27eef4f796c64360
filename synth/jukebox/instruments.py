"""The instruments, each a function of pitch, length and touch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from synth.core import RATE_HZ
from synth.jukebox.tones import (
    Wave,
    band,
    harmonics,
    level,
    noise,
    pluck,
    read,
    swell,
    table,
    times,
    vibrato_phase,
)


@dataclass(frozen=True)
class Pitch:
    """Note for an instrument to play.

    Attributes:
        hz: fundamental.
        duration_s: length of the sound.
        bright: 0 to 1, from a soft touch to a hard one.
    """

    hz: float
    duration_s: float
    bright: float


Play = Callable[[Pitch, np.random.Generator], Wave]


@dataclass(frozen=True)
class Instrument:
    """How notes of an instrument are made and placed.

    Attributes:
        play: makes the sound.
        release_s: how long it rings after being let go.
        lead_s: how much early it begins, so that a slow attack is heard on the beat.
        wide: whether it is spread over both channels.
    """

    play: Play
    release_s: float = 0.06
    lead_s: float = 0.0
    wide: bool = False


def _piano(pitch: Pitch, rng: np.random.Generator) -> Wave:
    t = times(pitch.duration_s)
    numbers = harmonics(pitch.hz, 6 + int(14 * pitch.bright))
    stiff = 3e-4 * (pitch.hz / 260) ** 1.4
    falls = [(0.6 + pitch.hz / 500) * rate for rate in (1.0, 1.5, 2.4, 4.5)]
    groups = [np.zeros_like(t) for _ in falls]
    for k in numbers:
        at = pitch.hz * k * np.sqrt(1 + stiff * k * k)
        if at > RATE_HZ * 0.45:
            break
        loud = abs(np.sin(np.pi * k / 7.6)) / k ** (1.8 - 0.9 * pitch.bright)
        phase = np.float32(rng.uniform(0, 2 * np.pi))
        group = 0 if k < 2 else 1 if k < 4 else 2 if k < 8 else 3
        groups[group] += np.float32(loud) * np.sin(np.float32(2 * np.pi * at) * t + phase)
    wave = np.zeros_like(t)
    for fall, group_wave in zip(falls, groups, strict=True):
        wave += group_wave * (0.7 * np.exp(-t * np.float32(2 * fall)) + 0.3 * np.exp(-t * fall / 2))
    knock = min(len(t), 900)
    wave[:knock] += band(noise(rng, knock), 200, 2500)[:knock] * np.exp(-t[:knock] * 180) * 0.12
    return level(wave * swell(t, 0.002))


def _fm(pitch: Pitch, _: np.random.Generator, ratio: float, index: float, fall_s: float) -> Wave:
    t = times(pitch.duration_s)
    turns = np.float32(2 * np.pi * pitch.hz) * t
    depth = index * (0.4 + pitch.bright) * np.exp(-t / np.float32(fall_s * 0.5))
    body = np.sin(turns + depth * np.sin(turns * np.float32(ratio)))
    tine = 0.12 * pitch.bright * np.sin(turns * np.float32(ratio * 7)) * np.exp(-t * 14)
    return level((body + tine) * swell(t, 0.002, fall_s))


def _drawbars(pitch: Pitch, rng: np.random.Generator, bars: Mapping[int, float]) -> Wave:
    t = times(pitch.duration_s)
    # Numbered from the octave below, so that bar 3 is the fifth.
    amplitudes = np.zeros(max(bars) + 1)
    for number, loud in bars.items():
        if number * pitch.hz / 2 < 15_000:
            amplitudes[number - 1] = loud
    phase = vibrato_phase(pitch.hz / 2, t, 6, 6.2, 0.0)
    wave = read(table(amplitudes), phase + rng.uniform())
    click = min(len(t), 300)
    wave[:click] += noise(rng, click) * np.exp(-t[:click] * 500) * 0.08
    return level(wave * swell(t, 0.006), 0.6)


def _string(
    pitch: Pitch, rng: np.random.Generator, ring_s: float, bright: float, body_hz: float = 0.0
) -> Wave:
    ring = ring_s * (220 / pitch.hz) ** 0.4
    wave = pluck(pitch.hz, pitch.duration_s, bright * (0.55 + 0.6 * pitch.bright), ring, rng)
    if body_hz:
        wave = wave + 0.6 * band(wave, body_hz * 0.8, body_hz * 1.3, 1)
    return level(wave)


def _driven(pitch: Pitch, rng: np.random.Generator, muted: bool, gain: float = 9.0) -> Wave:
    """Root, fifth and octave through one overdriven amplifier."""
    t = times(pitch.duration_s)
    wave = np.zeros_like(t)
    for ratio, loud in ((1.0, 1.0), (1.5, 0.8), (2.0, 0.5)):
        wave += loud * pluck(pitch.hz * ratio, pitch.duration_s, 0.5, 1.6, rng)
    driven = np.tanh(wave * np.float32(gain))
    shaped = band(driven, 90, 4200)
    return level(shaped * swell(t, 0.003, 0.11 if muted else 3.0), 0.6)


def _leadguitar(pitch: Pitch, rng: np.random.Generator) -> Wave:
    t = times(pitch.duration_s)
    cycle = table(1 / harmonics(pitch.hz, 30))
    wave = read(cycle, vibrato_phase(pitch.hz, t, 18, 5.2, 0.25) + rng.uniform())
    return level(band(np.tanh(wave * 6), 150, 3800) * swell(t, 0.006, 4.0), 0.6)


def _bowed(pitch: Pitch, rng: np.random.Generator, desks: int, attack_s: float) -> Wave:
    t = times(pitch.duration_s)
    numbers = harmonics(pitch.hz, 40)
    body = 1 + 0.8 * np.sin(numbers * pitch.hz / 310 + 1) * np.exp(-numbers * pitch.hz / 5000)
    cycle = table(body / numbers ** (1.5 - 0.5 * pitch.bright))
    wave = np.zeros_like(t)
    for _ in range(desks):
        off = 2 ** (rng.normal(0, 4 if desks > 1 else 0.5) / 1200)
        phase = vibrato_phase(pitch.hz * off, t, 14, rng.uniform(4.8, 6.2), 0.15)
        wave += read(cycle, phase + rng.uniform())
    bow = min(len(t), 4000)
    wave[:bow] += band(noise(rng, bow), 1500, 6000) * 0.06 * swell(t[:bow], 0.01, 0.03)
    return level(wave * swell(t, attack_s), 0.6)


def _brass(pitch: Pitch, rng: np.random.Generator, vibrato: float) -> Wave:
    t = times(pitch.duration_s)
    numbers = harmonics(pitch.hz, 30)
    soft, loud = table(np.exp(-numbers / 2.2)), table(1 / numbers**0.8)
    phase = vibrato_phase(pitch.hz, t, vibrato, 5.4, 0.3) + rng.uniform()
    share = swell(t, 0.05, 0.25, 0.5) * np.float32(0.35 + 0.6 * pitch.bright)
    wave = (1 - share) * read(soft, phase) + share * read(loud, phase)
    return level(wave * swell(t, 0.022, 1.0, 0.75), 0.65)


def _reed(pitch: Pitch, rng: np.random.Generator, beating_cents: float, odd: float) -> Wave:
    t = times(pitch.duration_s)
    numbers = harmonics(pitch.hz, 34)
    shape = np.where(numbers % 2 == 1, 1.0, odd) / numbers ** (1.15 - 0.3 * pitch.bright)
    cycle = table(shape)
    wave = np.zeros_like(t)
    for cents in (-beating_cents / 2, beating_cents / 2) if beating_cents else (0.0,):
        phase = vibrato_phase(pitch.hz * 2 ** (cents / 1200), t, 5, 5.0, 0.2)
        wave += read(cycle, phase + rng.uniform())
    wave += band(noise(rng, len(t)), 2000, 7000) * 0.008
    return level(wave * swell(t, 0.028), 0.6)


def _flute(pitch: Pitch, rng: np.random.Generator) -> Wave:
    t = times(pitch.duration_s)
    cycle = table(np.array([1.0, 0.3 * pitch.bright, 0.12, 0.04, 0.02]))
    wave = read(cycle, vibrato_phase(pitch.hz, t, 16, 5.0, 0.2))
    breath = band(noise(rng, len(t)), pitch.hz, min(9000.0, pitch.hz * 3), 1)
    return level(wave * swell(t, 0.035) + 0.03 * breath * swell(t, 0.015, 0.15, 0.4), 0.6)


_FORMANTS = {
    "ah": ((730, 1.0), (1150, 0.6), (2700, 0.2), (3400, 0.15)),
    "eh": ((560, 1.0), (1750, 0.5), (2600, 0.3), (3500, 0.12)),
    "oo": ((340, 1.0), (850, 0.4), (2400, 0.06), (3300, 0.04)),
}


def _voice(pitch: Pitch, rng: np.random.Generator, vowel: str, singers: int = 1) -> Wave:
    t = times(pitch.duration_s)
    numbers = harmonics(pitch.hz, 40)
    shape = np.full(len(numbers), 0.02)
    for centre_hz, loud in _FORMANTS[vowel]:
        width_hz = 70 + centre_hz * 0.06
        shape += loud / (1 + ((numbers * pitch.hz - centre_hz) / width_hz) ** 2)
    cycle = table(shape / numbers ** (0.9 - 0.3 * pitch.bright))
    wave = np.zeros_like(t)
    for _ in range(singers):
        phase = vibrato_phase(pitch.hz, t, 28, rng.uniform(5.0, 6.2), 0.22) + rng.uniform()
        # A voice scoops up to its note.
        scoop = -rng.uniform(30, 80) / 1200 * np.log(2) * pitch.hz * 0.035
        wave += read(cycle, phase + scoop * (1 - np.exp(-t / np.float32(0.035))))
    wave += band(noise(rng, len(t)), 1500, 8000, 1) * 0.01
    return level(wave * swell(t, 0.03 if singers == 1 else 0.12), 0.6)


def _saws(
    pitch: Pitch, rng: np.random.Generator, cents: float, attack_s: float, fall: float
) -> Wave:
    """Detuned saws, whose treble falls away where `fall` is not 0."""
    t = times(pitch.duration_s)
    numbers = harmonics(pitch.hz, 50)
    rough, mild = table(1 / numbers), table(np.exp(-numbers / 3) / numbers)
    share = np.exp(-t / np.float32(fall)) if fall else np.full_like(t, 0.25 + 0.5 * pitch.bright)
    wave = np.zeros_like(t)
    for spread in (-1, 0.1, 1):
        phase = pitch.hz * 2 ** (spread * cents / 1200) * t.astype(np.float64) + rng.uniform(0, 0.2)
        wave += share * read(rough, phase) + (1 - share) * read(mild, phase)
    return level(wave * swell(t, attack_s), 0.6)


def _synth(pitch: Pitch, rng: np.random.Generator, shape: str, fall_s: float) -> Wave:
    """One oscillator through a filter that closes."""
    t = times(pitch.duration_s)
    numbers = harmonics(pitch.hz, 60)
    odd = np.where(numbers % 2 == 1, 1.0, 0.0 if shape == "square" else 1.0)
    rough, mild = table(odd / numbers), table(odd * np.exp(-numbers / 2.5))
    share = np.exp(-t / np.float32(fall_s * (0.5 + pitch.bright)))
    phase = pitch.hz * t.astype(np.float64) + rng.uniform()
    wave = share * read(rough, phase) + (1 - share) * read(mild, phase)
    return level(wave * swell(t, 0.003, fall_s * 5, 0.3), 0.6)


def _sub(pitch: Pitch, _: np.random.Generator) -> Wave:
    t = times(pitch.duration_s)
    drop = 0.012 * 1.2 * pitch.hz * (1 - np.exp(-t / np.float32(0.012)))
    wave = np.tanh(np.sin(2 * np.pi * (pitch.hz * t.astype(np.float64) + drop)) * 1.8)
    return level(wave.astype(np.float32) * swell(t, 0.003, 1.4), 0.7)


def _bass(pitch: Pitch, rng: np.random.Generator, bright: float, ring_s: float, pop: float) -> Wave:
    t = times(pitch.duration_s)
    wave = pluck(pitch.hz, pitch.duration_s, bright * (0.6 + 0.5 * pitch.bright), ring_s, rng)
    body = np.sin(np.float32(2 * np.pi * pitch.hz) * t) * np.exp(-t / np.float32(ring_s))
    attack = min(len(t), 1200)
    wave = level(wave, 0.6) + 0.5 * body
    wave[:attack] += band(noise(rng, attack), 700, 3500) * np.exp(-t[:attack] * 200) * pop
    return level(wave * swell(t, 0.003))


def _struck(
    pitch: Pitch, _: np.random.Generator, partials: tuple[tuple[float, float, float], ...]
) -> Wave:
    """A bar or bell: partials as ratio, loudness and decay in seconds."""
    t = times(pitch.duration_s)
    wave = np.zeros_like(t)
    for ratio, loud, fall_s in partials:
        if pitch.hz * ratio < 16_000:
            turns = np.float32(2 * np.pi * pitch.hz * ratio) * t
            wave += np.float32(loud * (0.5 + pitch.bright)) * np.sin(turns) * np.exp(-t / fall_s)
    return level(wave * swell(t, 0.0015))


_ORGAN = {1: 0.7, 2: 1.0, 3: 0.5, 4: 0.6, 6: 0.3, 8: 0.35, 12: 0.12, 16: 0.15}
_PIPES = {2: 1.0, 4: 0.8, 6: 0.25, 8: 0.5, 12: 0.2, 16: 0.3, 24: 0.08}
_VIBES = ((1.0, 1.0, 1.6), (4.0, 0.25, 0.5), (10.0, 0.08, 0.1))
_MARIMBA = ((1.0, 1.0, 0.35), (3.93, 0.3, 0.1), (9.2, 0.1, 0.04))
_BELLS = ((1.0, 1.0, 1.2), (2.76, 0.4, 0.6), (5.4, 0.25, 0.3), (8.9, 0.1, 0.15))

INSTRUMENTS: Mapping[str, Instrument] = {
    "piano": Instrument(_piano, 0.14),
    "keys": Instrument(partial(_fm, ratio=1.0, index=1.2, fall_s=1.6), 0.12),
    "fmkeys": Instrument(partial(_fm, ratio=3.0, index=1.5, fall_s=1.2), 0.12),
    "clav": Instrument(partial(_string, ring_s=0.5, bright=1.0), 0.03),
    "harpsichord": Instrument(partial(_string, ring_s=0.8, bright=1.1), 0.06),
    "organ": Instrument(partial(_drawbars, bars=_ORGAN), 0.03, wide=True),
    "organlead": Instrument(partial(_drawbars, bars=_ORGAN), 0.03),
    "pipes": Instrument(partial(_drawbars, bars=_PIPES), 0.12, wide=True),
    "nylon": Instrument(partial(_string, ring_s=0.7, bright=0.45, body_hz=110), 0.1),
    "steel": Instrument(partial(_string, ring_s=1.0, bright=0.8, body_hz=130), 0.1),
    "electric": Instrument(partial(_string, ring_s=1.1, bright=0.65), 0.05),
    "jazzguitar": Instrument(partial(_string, ring_s=0.8, bright=0.35), 0.05),
    "crunch": Instrument(partial(_string, ring_s=1.4, bright=0.9, body_hz=700), 0.05),
    "banjo": Instrument(partial(_string, ring_s=0.35, bright=1.0, body_hz=500), 0.05),
    "mandolin": Instrument(partial(_string, ring_s=0.5, bright=0.9), 0.05),
    "pizzicato": Instrument(partial(_string, ring_s=0.22, bright=0.4, body_hz=280), 0.1),
    "drive": Instrument(partial(_driven, muted=False), 0.05, wide=True),
    "chug": Instrument(partial(_driven, muted=True, gain=14.0), 0.02, wide=True),
    "leadguitar": Instrument(_leadguitar, 0.08),
    "strings": Instrument(partial(_bowed, desks=3, attack_s=0.09), 0.18, 0.03, wide=True),
    "fiddle": Instrument(partial(_bowed, desks=1, attack_s=0.045), 0.07, 0.015),
    "cello": Instrument(partial(_bowed, desks=1, attack_s=0.05), 0.08, 0.016),
    "brass": Instrument(partial(_brass, vibrato=0.0), 0.05, 0.005, wide=True),
    "brasslead": Instrument(partial(_brass, vibrato=14.0), 0.05, 0.005),
    "tuba": Instrument(partial(_brass, vibrato=0.0), 0.05, 0.008),
    "sax": Instrument(partial(_reed, beating_cents=0.0, odd=0.7), 0.05, 0.008),
    "harmonica": Instrument(partial(_reed, beating_cents=0.0, odd=0.4), 0.05, 0.008),
    "accordion": Instrument(partial(_reed, beating_cents=9.0, odd=0.9), 0.05, 0.008),
    "flute": Instrument(_flute, 0.05, 0.012),
    "ah": Instrument(partial(_voice, vowel="ah"), 0.08, 0.01),
    "eh": Instrument(partial(_voice, vowel="eh"), 0.08, 0.01),
    "oo": Instrument(partial(_voice, vowel="oo"), 0.08, 0.01),
    "choir": Instrument(partial(_voice, vowel="ah", singers=3), 0.2, 0.04, wide=True),
    "warmpad": Instrument(partial(_saws, cents=9.0, attack_s=0.15, fall=0.0), 0.3, 0.04, wide=True),
    "sawstab": Instrument(partial(_saws, cents=14.0, attack_s=0.004, fall=0.25), 0.08, wide=True),
    "sawlead": Instrument(partial(_saws, cents=7.0, attack_s=0.008, fall=0.0), 0.06),
    "squarelead": Instrument(partial(_synth, shape="square", fall_s=0.5), 0.05),
    "pluck": Instrument(partial(_synth, shape="saw", fall_s=0.12), 0.1),
    "synthbass": Instrument(partial(_synth, shape="saw", fall_s=0.18), 0.03),
    "fmbass": Instrument(partial(_fm, ratio=1.0, index=2.6, fall_s=0.6), 0.03),
    "sub": Instrument(_sub, 0.05),
    "pickbass": Instrument(partial(_bass, bright=0.75, ring_s=0.9, pop=0.2), 0.04),
    "fingerbass": Instrument(partial(_bass, bright=0.4, ring_s=0.8, pop=0.06), 0.04),
    "slapbass": Instrument(partial(_bass, bright=0.95, ring_s=0.6, pop=0.35), 0.03),
    "upright": Instrument(partial(_bass, bright=0.3, ring_s=0.4, pop=0.1), 0.05),
    "vibes": Instrument(partial(_struck, partials=_VIBES), 0.25),
    "marimba": Instrument(partial(_struck, partials=_MARIMBA), 0.2),
    "glock": Instrument(partial(_struck, partials=_BELLS), 0.3),
    "bells": Instrument(partial(_struck, partials=_BELLS), 0.3),
}
