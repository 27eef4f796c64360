"""Ground under every instrument: oscillators, envelopes, filters, panning.

Signals are float64 arrays, mono `(samples,)` or stereo `(2, samples)`, full scale ±1.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from synth.keys import SEMITONES

RATE_HZ = 44_100
Signal = NDArray[np.float64]

_TABLE_SIZE = 4096


def note_hz(name: str) -> float:
    """Frequency of a note such as `"A4"`, `"C#3"` or `"Bb2"`; A4 is 440 Hz."""
    letter, accidental, octave = name[0], name[1:-1], int(name[-1])
    semitone = SEMITONES[letter] + accidental.count("#") - accidental.count("b")
    return float(440.0 * 2.0 ** ((semitone - 9) / 12 + octave - 4))


def midi_hz(pitch: float) -> float:
    """Frequency of a MIDI number; 69 is A4."""
    return float(440 * 2 ** ((pitch - 69) / 12))


def samples(duration_s: float) -> int:
    """Whole samples in `duration_s`."""
    return max(1, round(duration_s * RATE_HZ))


def times(duration_s: float) -> Signal:
    """Time of each sample, in seconds."""
    return np.arange(samples(duration_s)) / RATE_HZ


def noise(rng: np.random.Generator, duration_s: float) -> Signal:
    """White noise of unit variance."""
    return rng.standard_normal(samples(duration_s))


@lru_cache(maxsize=512)
def _saw_table(harmonics: int) -> Signal:
    spectrum = np.zeros(_TABLE_SIZE // 2 + 1, dtype=np.complex128)
    order = np.arange(1, harmonics + 1)
    # Lanczos factors take the edge off the last harmonics, so that the table doesn't ring.
    spectrum[1 : harmonics + 1] = 1j / order * np.sinc(order / (harmonics + 1))
    table = np.fft.irfft(spectrum, _TABLE_SIZE) * _TABLE_SIZE / np.pi
    return np.append(table, table[0])


def saw(phase: Signal, highest_hz: float) -> Signal:
    """A band-limited sawtooth read from a table.

    Args:
        phase: in cycles, increasing.
        highest_hz: the highest fundamental that the phase reaches; it bounds the harmonics.
    """
    harmonics = int(min(_TABLE_SIZE // 2 - 1, max(1, 18_000 // highest_hz)))
    position = (phase % 1.0) * _TABLE_SIZE
    index = position.astype(np.intp)
    table = _saw_table(harmonics)
    low = table[index]
    return low + (table[index + 1] - low) * (position - index)


def square(phase: Signal, highest_hz: float) -> Signal:
    """A band-limited square wave: a sawtooth minus itself, shifted by half a cycle."""
    return 0.5 * (saw(phase, highest_hz) - saw(phase + 0.5, highest_hz))


def sine(phase: Signal) -> Signal:
    """A sine; `phase` is in cycles."""
    return np.sin(2 * np.pi * phase)


def sweep_phase(frequency_hz: Signal) -> Signal:
    """Phase in cycles of an oscillator that follows `frequency_hz`, starting at 0."""
    return np.concatenate(([0.0], np.cumsum(frequency_hz[:-1]))) / RATE_HZ


def envelope(
    duration_s: float,
    *,
    attack_s: float = 0.004,
    decay_s: float = 0.1,
    sustain: float = 1.0,
    release_s: float = 0.05,
) -> Signal:
    """Attack, exponential decay to `sustain`, and a release after `duration_s`.

    Returns:
        Gain of shape `(samples of duration_s + release_s,)`; it starts and ends at 0.
    """
    total, held = samples(duration_s + release_s), samples(duration_s)
    time = np.arange(total) / RATE_HZ
    gain = sustain + (1 - sustain) * np.exp(-np.maximum(time - attack_s, 0) / decay_s)
    gain *= 0.5 - 0.5 * np.cos(np.pi * np.clip(time / attack_s, 0, 1))
    fall = np.clip((np.arange(total) - held) / max(1, total - held - 1), 0, 1)
    return np.asarray(gain * (0.5 + 0.5 * np.cos(np.pi * fall)))


def decay(duration_s: float, half_life_s: float, *, attack_s: float = 0.001) -> Signal:
    """An exponential decay behind a short attack, faded to 0 at its end."""
    time = times(duration_s)
    gain = 0.5 ** (time / half_life_s) * np.clip(time / attack_s, 0, 1)
    tail = min(len(time), samples(0.01))
    gain[-tail:] *= np.linspace(1, 0, tail)
    return gain


def band(
    signal: Signal, low_hz: float | None = None, high_hz: float | None = None, order: int = 2
) -> Signal:
    """Butterworth high-pass at `low_hz`, low-pass at `high_hz`, or both."""
    if low_hz is not None:
        sections = butter(order, low_hz, "highpass", fs=RATE_HZ, output="sos")
        signal = sosfilt(sections, signal, axis=-1)
    if high_hz is not None:
        sections = butter(order, high_hz, "lowpass", fs=RATE_HZ, output="sos")
        signal = sosfilt(sections, signal, axis=-1)
    return np.asarray(signal)


def sweep_lowpass(signal: Signal, cutoff_hz: Signal, resonance: float = 0.8) -> Signal:
    """A two-pole low-pass whose cutoff moves.

    The filter's state is carried from block to block of 32 samples, while its coefficients follow
    the cutoff (R. Bristow-Johnson's cookbook form).

    Args:
        signal: mono or stereo.
        cutoff_hz: a cutoff for each sample.
        resonance: the filter's Q.
    """
    block = 32
    out = np.empty_like(signal)
    state = np.zeros((1, *signal.shape[:-1], 2))
    for start in range(0, signal.shape[-1], block):
        omega = 2 * np.pi * min(max(float(cutoff_hz[start]), 20.0), 19_000.0) / RATE_HZ
        alpha, cosine = np.sin(omega) / (2 * resonance), np.cos(omega)
        edge = (1 - cosine) / 2
        numerator = np.array([edge, 2 * edge, edge])
        section = np.concatenate((numerator, [1 + alpha, -2 * cosine, 1 - alpha])) / (1 + alpha)
        piece = slice(start, start + block)
        out[..., piece], state = sosfilt(section[None], signal[..., piece], axis=-1, zi=state)
    return out


def pan(signal: Signal, position: float) -> Signal:
    """Place a mono signal between left (-1) and right (1) at equal power."""
    angle = (position + 1) * np.pi / 4
    return np.asarray(np.sqrt(2) * np.stack((np.cos(angle) * signal, np.sin(angle) * signal)))


def decibels(gain_db: float) -> float:
    """The factor of a gain in dB."""
    return float(10 ** (gain_db / 20))
