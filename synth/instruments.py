"""Pitched instruments, each a function from pitch and duration to one note."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from synth.core import (
    RATE_HZ,
    Signal,
    band,
    decay,
    envelope,
    noise,
    pan,
    samples,
    saw,
    sine,
    square,
    sweep_lowpass,
    sweep_phase,
    times,
)


def super_saw(
    rng: np.random.Generator,
    pitch_hz: float,
    duration_s: float,
    *,
    voices: int = 7,
    detune_cents: float = 14.0,
    cutoff_hz: float = 3_000.0,
    attack_s: float = 0.02,
    release_s: float = 0.2,
) -> Signal:
    """Detuned sawtooths spread over the stereo field, behind a low-pass that opens and closes.

    Returns:
        Stereo, `duration_s + release_s` long.
    """
    gain = envelope(duration_s, attack_s=attack_s, decay_s=0.5, sustain=0.8, release_s=release_s)
    time = np.arange(len(gain)) / RATE_HZ
    out = np.zeros((2, len(gain)))
    for index in range(voices):
        spread = 2 * index / (voices - 1) - 1
        hz = pitch_hz * 2 ** (spread * detune_cents / 1200)
        out += pan(saw(time * hz + rng.uniform(), hz), 0.8 * spread)
    cutoff = cutoff_hz * (0.5 + 0.5 * gain)
    return sweep_lowpass(out * gain / voices, cutoff, 0.7)


def pluck(
    rng: np.random.Generator,
    pitch_hz: float,
    duration_s: float,
    *,
    open_hz: float = 5_000.0,
    closed_hz: float = 350.0,
    half_life_s: float = 0.07,
) -> Signal:
    """Two sawtooths and a square behind a filter that snaps shut."""
    gain = envelope(duration_s, attack_s=0.002, decay_s=0.18, sustain=0.15, release_s=0.12)
    time = np.arange(len(gain)) / RATE_HZ
    tone = saw(time * pitch_hz * 1.003 + rng.uniform(), pitch_hz)
    tone += saw(time * pitch_hz * 0.997 + rng.uniform(), pitch_hz)
    tone += 0.5 * square(time * pitch_hz, pitch_hz)
    cutoff = closed_hz + open_hz * 0.5 ** (time / half_life_s)
    return 0.4 * sweep_lowpass(tone * gain, cutoff, 1.1)


def electric_piano(
    pitch_hz: float, duration_s: float, *, bark: float = 1.0, bell: float = 0.18
) -> Signal:
    """Frequency modulation: a tine that mellows while it rings, and a bell at its start."""
    gain = envelope(duration_s, attack_s=0.003, decay_s=0.9, sustain=0.12, release_s=0.18)
    time = np.arange(len(gain)) / RATE_HZ
    depth = bark * (1.1 * np.exp(-time / 0.25) + 0.25) * min(1.0, 300 / pitch_hz)
    tine = np.sin(2 * np.pi * pitch_hz * time + depth * np.sin(2 * np.pi * pitch_hz * time))
    chime = np.sin(2 * np.pi * pitch_hz * time + 0.9 * np.sin(14 * np.pi * pitch_hz * time))
    return np.asarray(gain * (tine + bell * chime * np.exp(-time / 0.12)) * 0.6)


def house_piano(rng: np.random.Generator, pitch_hz: float, duration_s: float) -> Signal:
    """A struck string: stretched partials whose highs fade first, and the hammer's knock."""
    gain = envelope(duration_s, attack_s=0.002, decay_s=0.7, sustain=0.2, release_s=0.09)
    time = np.arange(len(gain)) / RATE_HZ
    out = np.zeros_like(time)
    for order in range(1, 25):
        hz = order * pitch_hz * np.sqrt(1 + 0.0004 * order**2)
        if hz > 12_000:
            break
        strength = (1 / order) * abs(np.sin(np.pi * order / 7.5)) * np.exp(-order / 9)
        beat = sine(time * hz + rng.uniform()) + 0.8 * sine(time * hz * 1.0012 + rng.uniform())
        out += strength * beat * np.exp(-time * (0.8 + 0.35 * order))
    knock = band(noise(rng, 0.03), 300, 2_500) * decay(0.03, 0.006)
    out[: len(knock)] += 0.06 * knock[: len(out)]
    return out * gain * 0.7


def guitar(rng: np.random.Generator, pitch_hz: float, duration_s: float) -> Signal:
    """A plucked string after Karplus and Strong: a burst of noise in a damped delay line."""
    period = RATE_HZ / pitch_hz - 0.5
    whole = int(period)
    burst = np.zeros(samples(duration_s + 0.15))
    burst[:whole] = rng.uniform(-1, 1, whole)
    burst = band(burst, None, min(6_000, 14 * pitch_hz))
    # Linear interpolation between two taps tunes the string and damps its highs.
    part = period - whole
    loss = 0.5 ** (1 / (0.5 * pitch_hz))
    feedback = np.zeros(whole + 3)
    feedback[0] = 1.0
    feedback[whole : whole + 3] = -loss * np.convolve([0.5, 0.5], [1 - part, part])
    string = lfilter([1.0], feedback, burst)
    return band(np.asarray(string), 60) * envelope(duration_s, attack_s=0.001, release_s=0.15)


def bell(pitch_hz: float, duration_s: float) -> Signal:
    """A glassy tone from frequency modulation at an inharmonic ratio."""
    time = times(duration_s + 0.6)
    depth = 1.6 * np.exp(-time / 0.2)
    swing = depth * np.sin(2 * np.pi * 3.5 * pitch_hz * time)
    return np.asarray(0.5 * np.sin(2 * np.pi * pitch_hz * time + swing)) * decay(
        duration_s + 0.6, 0.22, attack_s=0.002
    )


def sub_bass(pitch_hz: float, duration_s: float, *, slide_from_hz: float | None = None) -> Signal:
    """A driven sine with an octave above it, and an optional slide into its pitch.

    The drive is gentle: the fifth harmonic of a hard one is the major third of every note.
    """
    gain = envelope(duration_s, attack_s=0.006, decay_s=0.6, sustain=0.7, release_s=0.04)
    time = np.arange(len(gain)) / RATE_HZ
    start_hz = slide_from_hz or pitch_hz
    phase = sweep_phase(pitch_hz * (start_hz / pitch_hz) ** np.exp(-time / 0.04))
    octave = 0.3 * np.exp(-time / 0.3) + 0.1
    return np.asarray(np.tanh(1.1 * gain * (sine(phase) + octave * sine(2 * phase + 0.1))))


def saw_bass(
    pitch_hz: float, duration_s: float, *, open_hz: float = 1_400.0, half_life_s: float = 0.09
) -> Signal:
    """A sawtooth behind a filter that closes, over a sine at the same pitch."""
    gain = envelope(duration_s, attack_s=0.003, decay_s=0.25, sustain=0.6, release_s=0.03)
    time = np.arange(len(gain)) / RATE_HZ
    cutoff = 180 + open_hz * 0.5 ** (time / half_life_s)
    edge = sweep_lowpass(saw(time * pitch_hz, pitch_hz), cutoff, 1.4)
    return np.asarray(np.tanh(1.2 * gain * (0.6 * edge + 0.7 * sine(time * pitch_hz))))


def reese(
    rng: np.random.Generator,
    pitch_hz: float,
    duration_s: float,
    *,
    cutoff_hz: float = 700.0,
    wobble_hz: float = 1.45,
) -> Signal:
    """Beating sawtooths above 120 Hz in stereo over a plain sine in the middle."""
    gain = envelope(duration_s, attack_s=0.006, release_s=0.04)
    time = np.arange(len(gain)) / RATE_HZ
    cutoff = cutoff_hz * (1 + 0.45 * np.sin(2 * np.pi * wobble_hz * time - np.pi / 2))
    low_hz, high_hz = pitch_hz * 2 ** (-17 / 1200), pitch_hz * 2 ** (17 / 1200)
    middle = saw(time * pitch_hz + rng.uniform(), pitch_hz)
    left = saw(time * low_hz + rng.uniform(), low_hz)
    right = saw(time * high_hz + rng.uniform(), high_hz)
    buzz = np.stack((middle + left + 0.5 * right, middle + right + 0.5 * left)) * gain
    buzz = band(sweep_lowpass(np.tanh(0.8 * buzz), cutoff, 1.3), 120)
    return np.asarray(0.65 * buzz + 0.75 * gain * sine(time * pitch_hz))


def riser(rng: np.random.Generator, duration_s: float, *, top_hz: float = 9_000.0) -> Signal:
    """Noise that climbs and swells until it stops."""
    progress = np.linspace(0, 1, samples(duration_s))
    wide = np.stack((noise(rng, duration_s), noise(rng, duration_s)))
    swept = sweep_lowpass(wide, 300 * (top_hz / 300) ** progress, 2.0)
    fade = np.clip((1 - progress) * duration_s / 0.02, 0, 1)
    return band(swept * progress**2 * fade, 250) * 0.4


def impact(rng: np.random.Generator) -> Signal:
    """A low boom with a burst of air, for the first beat of a section."""
    time = times(1.6)
    boom = sine(sweep_phase(38 + 55 * np.exp(-time / 0.09))) * decay(1.6, 0.28)
    air = band(noise(rng, 1.6), 400, 5_000) * decay(1.6, 0.13)
    return np.asarray(0.7 * boom + 0.2 * air)
