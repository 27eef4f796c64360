"""Ways to make a pitched sound: tables, partials, frequency modulation and plucked strings."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import signal

from synth import core
from synth.core import RATE_HZ

Wave = npt.NDArray[np.float32]

_TABLE = 4096
_HIGHEST_HZ = 16_000.0


def times(duration_s: float) -> Wave:
    """Sample times of a sound."""
    return np.asarray(core.times(duration_s), dtype=np.float32)


def harmonics(frequency_hz: float, most: int = 60) -> Wave:
    """Numbers of the harmonics that are well below half the sample rate."""
    highest = max(1, min(most, int(_HIGHEST_HZ / frequency_hz)))
    return np.asarray(np.arange(1, highest + 1), dtype=np.float32)


def table(amplitudes: npt.NDArray[np.floating]) -> Wave:
    """One cycle with these harmonics, all sines; its root mean square is 0.3."""
    spectrum = np.zeros(_TABLE // 2 + 1, dtype=np.complex64)
    spectrum[1 : len(amplitudes) + 1] = -1j * amplitudes
    cycle = np.fft.irfft(spectrum, _TABLE)
    loudness = np.sqrt(np.mean(cycle**2)) + 1e-12
    return np.asarray(cycle * (0.3 / loudness), dtype=np.float32)


def read(cycle: Wave, phase: npt.NDArray[np.floating]) -> Wave:
    """`cycle` at `phase`, in cycles."""
    index = (phase * _TABLE).astype(np.int64) & (_TABLE - 1)
    return np.asarray(cycle[index])


def vibrato_phase(
    frequency_hz: float, t: Wave, depth_cents: float, sample_rate: float, delay_s: float
) -> npt.NDArray[np.float64]:
    """Phase in cycles of a tone whose vibrato sets in after `delay_s`."""
    # Integrating a sine by hand is cheaper than summing: the depth changes slowly.
    depth = depth_cents / 1200 * np.log(2)
    onset = np.clip((t - delay_s) / 0.25, 0, 1)
    wobble = -np.cos(2 * np.pi * sample_rate * t) / (2 * np.pi * sample_rate)
    return np.asarray(frequency_hz * (t.astype(np.float64) + depth * onset * wobble))


def swell(t: Wave, attack_s: float, decay_s: float = 1e9, floor: float = 0.0) -> Wave:
    """An envelope: a rise over `attack_s`, then a fall towards `floor`."""
    rise = np.clip(t / np.float32(max(attack_s, 1e-4)), 0, 1)
    fall = floor + (1 - floor) * np.exp(-t / np.float32(decay_s))
    return np.asarray(np.sin(rise * np.float32(np.pi / 2)) * fall, dtype=np.float32)


def noise(rng: np.random.Generator, count: int) -> Wave:
    """White noise of unit variance."""
    return rng.standard_normal(count, dtype=np.float32)


def band(wave: Wave, low_hz: float | None, high_hz: float | None, order: int = 2) -> Wave:
    """What of `wave` lies between two frequencies; None leaves a side open."""
    edges: float | list[float]
    if low_hz and high_hz:
        kind, edges = "bandpass", [low_hz, high_hz]
    elif low_hz:
        kind, edges = "highpass", low_hz
    else:
        kind, edges = "lowpass", high_hz or 20_000.0
    sections = signal.butter(order, edges, kind, fs=RATE_HZ, output="sos")
    return np.asarray(signal.sosfilt(sections, wave), dtype=np.float32)


def level(wave: Wave, peak: float = 0.7) -> Wave:
    """`wave` scaled to `peak`."""
    loudest = float(np.max(np.abs(wave))) + 1e-9
    return np.asarray(wave * (peak / loudest), dtype=np.float32)


def pluck(
    frequency_hz: float, duration_s: float, bright: float, ring_s: float, rng: np.random.Generator
) -> Wave:
    """A plucked string.

    The loop of Karplus and Strong (Computer Music Journal 7(2), 1983), a period at a time. A loop
    holds a whole number of samples, so the string is made a little off and then resampled.

    Args:
        frequency_hz: fundamental.
        duration_s: length.
        bright: 0 to 1; how much treble the pluck has.
        ring_s: time until the fundamental has fallen to a third.
        rng: draws the pluck.
    """
    period = max(8, int(RATE_HZ / frequency_hz - 0.5))
    ratio = (period + 0.5) * frequency_hz / RATE_HZ
    rounds = int(duration_s * RATE_HZ * ratio / period) + 3
    burst = noise(rng, period)
    # Plucked at a fifth of the string, so that its fifth harmonic is weak.
    burst = burst - np.roll(burst, period // 5)
    keep = np.exp(-np.arange(period // 2 + 1) / (2 + 60 * bright**2))
    burst = np.fft.irfft(np.fft.rfft(burst) * keep, period).astype(np.float32)
    string = np.empty((rounds, period), dtype=np.float32)
    string[0] = burst / (np.max(np.abs(burst)) + 1e-9)
    loss = np.float32(np.exp(-1 / (frequency_hz * ring_s)))
    stretch = np.float32(0.5 - 0.35 * min(1.0, bright))
    held = np.float32(0.0)
    for i in range(1, rounds):
        last = string[i - 1]
        string[i, 1:] = last[:-1]
        string[i, 0] = held
        held = last[-1]
        string[i] = loss * ((1 - stretch) * last + stretch * string[i])
    # The loop's delay is `period` plus what the average adds.
    ratio = (period + float(stretch)) * frequency_hz / RATE_HZ
    flat = string.ravel()
    at = np.arange(round(duration_s * RATE_HZ)) * ratio
    return np.asarray(np.interp(at, np.arange(len(flat)), flat), dtype=np.float32)
