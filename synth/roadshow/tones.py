"""Sounds of pitched instruments and voices: wavetables with envelopes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from synth.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import Generator

RATE_HZ = 44_100
Wave = NDArray[np.float32]

_TABLE_BITS = 11
_VOWELS = (
    ((800, 1.0), (1150, 0.6), (2900, 0.25)),
    ((500, 1.0), (1750, 0.45), (2450, 0.3)),
    ((320, 1.0), (2200, 0.3), (2900, 0.25)),
    ((500, 1.0), (850, 0.7), (2600, 0.15)),
    ((330, 1.0), (750, 0.5), (2400, 0.1)),
)


@dataclass(frozen=True)
class Timbre:
    """Sound of an instrument; `timbres.toml` describes the fields."""

    stem: str = "other"
    kind: str = "tone"
    tilt: float = 1.0
    even: float = 1.0
    cut_hz: float = 3000.0
    decay_s: float = 0.0
    damp: float = 1.0
    attack_s: float = 0.005
    release_s: float = 0.06
    detune: float = 0.0
    vibrato: float = 0.0
    tremolo: float = 0.0
    knock: float = 0.0
    drive: float = 0.0
    fifth: bool = False
    gain: float = 1.0


@cache
def timbres() -> dict[str, Timbre]:
    """All instruments by name."""
    return {name: Timbre(**row) for name, row in read_table("roadshow/timbres.toml").items()}


@dataclass(frozen=True)
class Sound:
    """Note for an instrument to play.

    Attributes:
        hz: pitch.
        length_s: how long it sounds, its release included.
        loudness: 0 to 1.
        glide: semitones from which the pitch slides.
        wah_hz: how often a filter that is swept opens.
    """

    hz: float
    length_s: float
    loudness: float
    glide: float = 0.0
    wah_hz: float = 4.0


def render(timbre: Timbre, sound: Sound, rng: Generator) -> Wave:
    """Return the sound, mono; its end is left for the mixer to fade."""
    samples = max(64, int(sound.length_s * RATE_HZ))
    time: Wave = (np.arange(samples) / RATE_HZ).astype(np.float32)
    wave = _RENDERERS[timbre.kind](timbre, sound, time, rng)
    attack = max(8, int(timbre.attack_s * RATE_HZ))
    ramp = min(attack, samples)
    wave[:ramp] *= (np.arange(ramp, dtype=np.float32) / attack) ** 0.7
    if timbre.tremolo:
        wave *= 1 + timbre.tremolo * np.sin(2 * np.pi * 5.4 * time)
    if timbre.knock:
        noise = rng.standard_normal(min(samples, 1800)).astype(np.float32)
        noise *= np.exp(-np.arange(len(noise), dtype=np.float32) / 350)
        wave[: len(noise)] += 0.5 * timbre.knock * sound.loudness * noise
    return np.asarray(wave * np.float32(timbre.gain * sound.loudness**1.3), dtype=np.float32)


def _cycle(amplitudes: NDArray[np.floating[Any]]) -> Wave:
    """One period whose harmonics have these amplitudes."""
    size = 1 << _TABLE_BITS
    spectrum = np.zeros(size // 2 + 1, dtype=complex)
    phases = (np.arange(len(amplitudes)) ** 2 * 1.7) % (2 * np.pi)
    spectrum[1 : len(amplitudes) + 1] = amplitudes * np.exp(1j * phases)
    return np.asarray(np.fft.irfft(spectrum) * size / 2, dtype=np.float32)


def _play(cycle: Wave, hz: float | Wave, samples: int, phase: float) -> Wave:
    """Repeat a period at a fixed or changing pitch."""
    shift = np.uint32(32 - _TABLE_BITS)
    scale = 2.0**32 / RATE_HZ
    if isinstance(hz, float):
        step = np.uint32(int(hz * scale))
        place = np.arange(samples, dtype=np.uint32) * step
    else:
        place = (np.cumsum(hz.astype(np.float64) * scale) % 2**32).astype(np.uint32)
    place += np.uint32(int(phase * 2**32) % 2**32)
    return np.asarray(cycle[place >> shift])


def _amplitudes(timbre: Timbre, hz: float, dull: float) -> NDArray[np.float64]:
    many = int(np.clip(min(15_000, timbre.cut_hz * 4) / hz, 1, 60))
    number = np.arange(1, many + 1, dtype=float)
    level = number ** -(timbre.tilt + dull) / np.sqrt(1 + (number * hz / timbre.cut_hz) ** 4)
    level[1::2] *= timbre.even
    return np.asarray(level / np.sqrt(np.sum(level**2)) * 0.35)


def _pitch(timbre: Timbre, sound: Sound, time: Wave) -> float | Wave:
    if not timbre.vibrato and not sound.glide:
        return float(sound.hz)
    late = np.clip((time - 0.15) / 0.3, 0, 1)
    cents = timbre.vibrato * late * np.sin(2 * np.pi * 5.3 * time)
    cents += 100 * sound.glide * np.exp(-time / 0.03)
    return np.asarray(sound.hz * 2 ** (cents / 1200), dtype=np.float32)


def _copies(timbre: Timbre, rng: Generator) -> list[tuple[float, float]]:
    """Factors of pitch and phases of the strings or oscillators that sound together."""
    if not timbre.detune:
        return [(1.0, 0.0)]
    cents = (-timbre.detune, timbre.detune * 0.8)
    return [(2 ** (one / 1200), float(rng.random())) for one in cents]


def _tone(timbre: Timbre, sound: Sound, time: Wave, rng: Generator) -> Wave:
    wave = np.zeros_like(time)
    hz = _pitch(timbre, sound, time)
    level = _amplitudes(timbre, sound.hz, 0.6 * (1 - sound.loudness))
    copies = _copies(timbre, rng)
    if timbre.decay_s:
        decay_s = timbre.decay_s * float(np.clip((220 / sound.hz) ** 0.35, 0.4, 1.6))
        for low, high in ((0, 2), (2, 6), (6, 60)):
            if low >= len(level):
                break
            part = np.zeros_like(level)
            part[low:high] = level[low:high]
            cycle = _cycle(part)
            one = sum((_play(cycle, hz * ratio, len(time), phase) for ratio, phase in copies),
                      np.zeros_like(time))  # fmt: skip
            rate = (1 + timbre.damp * low / 3) / decay_s
            wave += one * np.exp(-time * np.float32(rate))
        return wave / np.float32(len(copies) ** 0.5)
    dark = _amplitudes(timbre, sound.hz, 1.0)
    bright = np.asarray(0.55 + 0.45 * np.exp(-time / 0.12), dtype=np.float32)
    for ratio, phase in copies:
        wave += bright * _play(_cycle(level), hz * ratio, len(time), phase)
        wave += (1 - bright) * _play(_cycle(dark), hz * ratio, len(time), phase)
    return wave / np.float32(len(copies) ** 0.5)


def _wah(timbre: Timbre, sound: Sound, time: Wave, rng: Generator) -> Wave:
    dull, sharp = _amplitudes(timbre, sound.hz, 1.6), _amplitudes(timbre, sound.hz, 0.0)
    opened = np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * sound.wah_hz * time + 2.4), dtype=np.float32)
    wave = np.zeros_like(time)
    for ratio, phase in _copies(timbre, rng):
        hz = float(sound.hz * ratio)
        wave += opened * _play(_cycle(sharp), hz, len(time), phase)
        wave += (1 - opened) * _play(_cycle(dull), hz, len(time), phase)
    return np.asarray(np.tanh(1.5 * wave), dtype=np.float32)


def _boom(timbre: Timbre, sound: Sound, time: Wave, rng: Generator) -> Wave:
    del rng
    cycles = sound.hz * time + 1.2 * (1 - np.exp(-time / 0.02))
    wave = np.tanh(1.8 * np.sin(2 * np.pi * cycles)) * np.exp(-time / np.float32(timbre.decay_s))
    return np.asarray(0.6 * wave, dtype=np.float32)


def _bell(timbre: Timbre, sound: Sound, time: Wave, rng: Generator) -> Wave:
    del rng
    wave = np.zeros_like(time)
    for ratio, level, rate in ((1, 1, 1), (2, 0.4, 1.4), (2.76, 0.35, 2.2), (5.4, 0.2, 4)):
        if sound.hz * ratio < 16_000:
            decay = np.exp(-time * np.float32(rate / timbre.decay_s))
            wave += level * decay * np.sin(2 * np.pi * np.float32(sound.hz * ratio) * time)
    return np.asarray(0.35 * wave, dtype=np.float32)


@cache
def _cabinet(cut_hz: float) -> NDArray[np.float64]:
    return np.asarray(butter(2, (90, cut_hz), "bandpass", fs=RATE_HZ, output="sos"))


def _drive(timbre: Timbre, sound: Sound, time: Wave, rng: Generator) -> Wave:
    hz = _pitch(timbre, sound, time)
    cycle = _cycle(_amplitudes(Timbre(tilt=0.9, cut_hz=3500), sound.hz, 0.0))
    ratios = (1.0, 1.4983, 2.003) if timbre.fifth else (1.0, 1.002)
    wave = sum((_play(cycle, hz * ratio, len(time), float(rng.random())) for ratio in ratios),
               np.zeros_like(time))  # fmt: skip
    fade = np.exp(-time / np.float32(timbre.decay_s or 3.0))
    wave = np.tanh(timbre.drive * wave * fade) * fade**0.5
    return np.asarray(0.5 * sosfilt(_cabinet(timbre.cut_hz), wave), dtype=np.float32)


def _vowel(hz: float, formants: tuple[tuple[float, float], ...]) -> Wave:
    number = np.arange(1, int(np.clip(7000 / hz, 2, 60)) + 1, dtype=float)
    level = np.zeros_like(number)
    for center_hz, gain in formants:
        level += gain / (1 + ((number * hz - center_hz) / (90 + 0.07 * center_hz)) ** 2)
    level = (level + 0.03) * number**-0.5
    return _cycle(level / np.sqrt(np.sum(level**2)) * 0.35)


def _voice(timbre: Timbre, sound: Sound, time: Wave, rng: Generator) -> Wave:
    first, second = (_vowel(sound.hz, _VOWELS[int(rng.integers(len(_VOWELS)))]) for _ in range(2))
    hz = _pitch(timbre, sound, time)
    turn = np.asarray(np.clip((time - 0.08) / 0.25, 0, 1), dtype=np.float32)
    wave = np.zeros_like(time)
    for ratio, phase in _copies(timbre, rng):
        wave += (1 - turn) * _play(first, hz * ratio, len(time), phase)
        wave += turn * _play(second, hz * ratio, len(time), phase)
    return wave


def _growl(timbre: Timbre, sound: Sound, time: Wave, rng: Generator) -> Wave:
    wave = _voice(timbre, sound, time, rng)
    noise = rng.standard_normal(len(time)).astype(np.float32)
    rough = 1 + 0.8 * np.sin(2 * np.pi * np.float32(sound.hz / 2) * time)
    rasp = sosfilt(_cabinet(3000.0), noise * rough)
    return np.asarray(np.tanh(2 * (wave * rough + 0.25 * rasp)) * 0.4, dtype=np.float32)


_RENDERERS: dict[str, Callable[[Timbre, Sound, Wave, Generator], Wave]] = {
    "tone": _tone, "wah": _wah, "boom": _boom, "bell": _bell, "drive": _drive, "voice": _voice,
    "growl": _growl,
}  # fmt: skip
