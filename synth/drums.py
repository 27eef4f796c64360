"""Drums: every hit is one mono sound, made from sines, metal partials and shaped noise."""

from __future__ import annotations

import numpy as np

from synth.core import Signal, band, decay, noise, samples, sine, square, sweep_phase, times

_METAL_HZ = (263.0, 400.0, 421.0, 474.0, 587.0, 845.0)
"""Six inharmonic oscillators, as cymbals of drum machines have them."""


def kick(
    rng: np.random.Generator,
    *,
    tone_hz: float = 50.0,
    punch_hz: float = 190.0,
    half_life_s: float = 0.1,
    click: float = 0.3,
    drive: float = 1.6,
) -> Signal:
    """A sine that falls from several times `punch_hz` to `tone_hz`, driven into a soft clip."""
    duration_s = 6 * half_life_s
    time = times(duration_s)
    frequency = tone_hz + punch_hz * np.exp(-time / 0.028) + 6 * punch_hz * np.exp(-time / 0.003)
    body = sine(sweep_phase(frequency)) * decay(duration_s, half_life_s, attack_s=0.0008)
    beater = band(noise(rng, duration_s), 1_200, 7_000) * decay(duration_s, 0.004)
    return np.asarray(np.tanh(drive * (body + click * 0.35 * beater)) / np.tanh(drive))


def snare(
    rng: np.random.Generator,
    *,
    tone_hz: float = 185.0,
    half_life_s: float = 0.05,
    wires: float = 0.7,
    bright_hz: float = 9_000.0,
) -> Signal:
    """Two modes of the head that drop a little in pitch, and the rattle of the wires."""
    duration_s = 8 * half_life_s
    bend = 1 + 0.5 * np.exp(-times(duration_s) / 0.012)
    head = sine(sweep_phase(tone_hz * bend)) + 0.6 * sine(sweep_phase(1.78 * tone_hz * bend))
    head *= decay(duration_s, 0.6 * half_life_s)
    rattle = band(noise(rng, duration_s), 700, bright_hz) * decay(duration_s, half_life_s)
    crack = band(noise(rng, duration_s), 2_000, 8_000) * decay(duration_s, 0.008)
    return np.asarray(np.tanh(1.3 * (0.6 * head + wires * rattle + 0.35 * crack)) / 1.1)


def clap(rng: np.random.Generator, *, half_life_s: float = 0.07) -> Signal:
    """Four bursts with distances of 10 ms, as of several hands, and a short room."""
    time = times(0.5)
    gain = 0.35 * 0.5 ** (np.clip(time - 0.03, 0, None) / half_life_s) * (time > 0.03)
    for start_s in (0.0, 0.009, 0.019, 0.03):
        into = time - start_s
        gain += (into >= 0) * np.exp(-np.clip(into, 0, None) / 0.0045)
    body = band(noise(rng, 0.5), 850, 5_500) + 0.5 * band(noise(rng, 0.5), 1_000, 1_800)
    return np.asarray(0.8 * body * gain * decay(0.5, 0.2))


def hat(rng: np.random.Generator, *, half_life_s: float = 0.018, pitch: float = 1.0) -> Signal:
    """A hi-hat: clustered square waves and noise, both high-passed; long when it is open."""
    duration_s = min(10 * half_life_s, 0.6)
    time = times(duration_s)
    start = rng.uniform(0, 1, len(_METAL_HZ))
    metal = sum(
        square(time * hz * 4 * pitch + offset, hz * 4 * pitch)
        for hz, offset in zip(_METAL_HZ, start, strict=True)
    )
    sound = band(0.2 * np.asarray(metal) + 0.5 * noise(rng, duration_s), 7_000, 15_000, order=3)
    return sound * decay(duration_s, half_life_s)


def cymbal(rng: np.random.Generator, *, duration_s: float = 2.5, low_hz: float = 3_500) -> Signal:
    """A crash: noise and many inharmonic partials whose highs die first."""
    half_life_s = duration_s / 8
    wash = band(noise(rng, duration_s), low_hz, 12_500) * decay(duration_s, half_life_s)
    sizzle = band(noise(rng, duration_s), 8_000, 15_000) * decay(duration_s, 0.35 * half_life_s)
    time = times(duration_s)
    ring = np.zeros_like(time)
    for hz in rng.uniform(low_hz, 10_000, 24):
        ring += sine(time * hz + rng.uniform()) * 0.5 ** (time * hz / 5_000 / half_life_s)
    return 0.35 * (wash + 0.6 * sizzle + 0.12 * ring * decay(duration_s, half_life_s))


def ride(rng: np.random.Generator) -> Signal:
    """A stick on a ride cymbal: a ping of fixed partials over a thin wash."""
    time = times(0.7)
    ping = np.zeros_like(time)
    for hz in (3_140, 3_870, 4_620, 5_480, 6_710, 8_050, 9_420):
        ping += sine(time * hz + rng.uniform())
    wash = band(noise(rng, 0.7), 6_000, 14_000) * decay(0.7, 0.09)
    return 0.16 * ping * decay(0.7, 0.06) + 0.25 * wash


def shaker(rng: np.random.Generator) -> Signal:
    """Grains that swell and stop."""
    time = times(0.09)
    swell = np.sin(np.pi * np.clip(time / 0.09, 0, 1)) ** 2
    return np.asarray(0.5 * band(noise(rng, 0.09), 5_000, 12_000) * swell)


def rim(rng: np.random.Generator) -> Signal:
    """A stick across the rim: two short, high modes."""
    time = times(0.08)
    modes = sine(time * 1_720) + 0.7 * sine(time * 2_540 + 0.2) + 0.5 * sine(time * 480)
    return 0.4 * (modes + 0.3 * noise(rng, 0.08)) * decay(0.08, 0.009)


def crackle(rng: np.random.Generator, duration_s: float) -> Signal:
    """Dust and hiss of a record."""
    dust = np.zeros(samples(duration_s))
    ticks = rng.integers(0, len(dust), round(9 * duration_s))
    dust[ticks] = rng.normal(0, 1, len(ticks)) * rng.uniform(0.1, 1, len(ticks)) ** 3
    return band(6 * dust, 900, 6_000) + 0.008 * band(noise(rng, duration_s), 500, 7_000)
