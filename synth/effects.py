"""Effects on whole tracks: rooms, echoes, pumping, colour, and the shared gain of the master."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import maximum_filter1d, minimum_filter1d, uniform_filter1d
from scipy.signal import lfilter, oaconvolve, sosfilt

from synth.core import RATE_HZ, Signal, band, decibels, samples

if TYPE_CHECKING:
    from collections.abc import Iterable


def reverb(
    stereo: Signal,
    rng: np.random.Generator,
    *,
    decay_s: float = 1.6,
    pre_delay_s: float = 0.02,
    low_cut_hz: float = 250.0,
    damping_hz: float = 6_000.0,
) -> Signal:
    """The wet sound of a room: convolution with decaying noise, its highs dying faster.

    Args:
        stereo: shape `(2, samples)`.
        rng: fixes the room.
        decay_s: time to fall by 60 dB.
        pre_delay_s: silence before the first reflection.
        low_cut_hz: nothing below this enters the room.
        damping_hz: above this the decay is three times as fast.
    """
    length = samples(decay_s)
    time = np.arange(length) / RATE_HZ
    raw = rng.standard_normal((2, length))
    dull = band(raw, low_cut_hz, damping_hz, order=1)
    slow, fast = 10 ** (-3 * time / decay_s), 10 ** (-9 * time / decay_s)
    response = (dull * slow + (raw - dull) * 0.5 * fast) * np.clip(time / 0.008, 0, 1)
    response = band(response, low_cut_hz)
    response /= np.sqrt((response**2).sum(axis=1, keepdims=True))
    delayed = _shift(stereo, pre_delay_s)
    return np.asarray(oaconvolve(delayed, response, axes=-1)[:, : stereo.shape[-1]])


def echo(stereo: Signal, delay_s: float, *, feedback: float = 0.4, low_hz: float = 300.0) -> Signal:
    """The repeats of a delay that bounces from side to side, each duller than the last."""
    wet = np.zeros_like(stereo)
    repeat = np.repeat(stereo.mean(axis=0, keepdims=True), 2, axis=0)
    gain, side = 1.0, 0
    for _ in range(6):
        repeat = band(_shift(repeat, delay_s), low_hz, 4_500, order=1)
        wet[side] += gain * repeat[0]
        wet[1 - side] += 0.35 * gain * repeat[0]
        gain *= feedback
        side = 1 - side
    return wet


def pump(
    length_samples: int, hits_s: Iterable[float], *, depth_db: float = 9.0, recover_s: float = 0.28
) -> Signal:
    """Gain that ducks at each hit and comes back, as a compressor keyed by the kick does."""
    gain_db = np.zeros(length_samples)
    attack, full = samples(0.006), samples(recover_s)
    dip = np.concatenate(
        (np.linspace(0, 1, attack), 0.5 + 0.5 * np.cos(np.pi * np.linspace(0, 1, full) ** 0.8))
    )
    for hit_s in hits_s:
        start = round(hit_s * RATE_HZ)
        piece = gain_db[start : start + len(dip)]
        np.minimum(piece, -depth_db * dip[: len(piece)], out=piece)
    return np.asarray(10 ** (gain_db / 20))


def shelf(signal: Signal, corner_hz: float, gain_db: float) -> Signal:
    """A first-order shelf that lifts or lowers what lies above `corner_hz`."""
    return signal + (decibels(gain_db) - 1) * band(signal, corner_hz, order=1)


def bell_curve(signal: Signal, centre_hz: float, gain_db: float, q: float = 1.0) -> Signal:
    """A peaking filter (R. Bristow-Johnson's cookbook form)."""
    omega, amplitude = 2 * np.pi * centre_hz / RATE_HZ, decibels(gain_db / 2)
    alpha, cosine = np.sin(omega) / (2 * q), -2 * np.cos(omega)
    section = np.array(
        [
            1 + alpha * amplitude,
            cosine,
            1 - alpha * amplitude,
            1 + alpha / amplitude,
            cosine,
            1 - alpha / amplitude,
        ]
    )
    return np.asarray(sosfilt(section[None] / section[3], signal, axis=-1))


def compress(
    signal: Signal, *, threshold_db: float, ratio: float = 3.0, release_s: float = 0.08
) -> Signal:
    """Evens out the level: a feed-forward compressor on smoothed power, both sides alike."""
    power = np.atleast_2d(signal**2).mean(axis=0)
    keep = np.exp(-1 / (release_s * RATE_HZ))
    level_db = 10 * np.log10(lfilter([1 - keep], [1, -keep], power) + 1e-10)
    gain_db = np.minimum(0, (threshold_db - level_db) * (1 - 1 / ratio))
    return np.asarray(signal * 10 ** (gain_db / 20))


def saturate(signal: Signal, drive_db: float) -> Signal:
    """A soft clip whose gain for small signals is 1."""
    drive = decibels(drive_db)
    return np.asarray(np.tanh(drive * signal) / drive)


def limiter_gain(stereo: Signal, ceiling: float) -> Signal:
    """Gain that keeps both channels under `ceiling`.

    The least gain within a window, averaged over that same window, never exceeds the least gain
    needed at its centre; so peaks are met without overshoot.
    """
    peak = maximum_filter1d(np.abs(stereo).max(axis=0), 9)
    needed = ceiling / np.maximum(peak, ceiling)
    window = samples(0.012) | 1
    least = minimum_filter1d(needed, window, mode="nearest")
    return np.asarray(uniform_filter1d(least, window, mode="nearest"))


def _shift(signal: Signal, delay_s: float) -> Signal:
    count = round(delay_s * RATE_HZ)
    if count == 0:
        return signal
    return np.concatenate((np.zeros((*signal.shape[:-1], count)), signal[..., :-count]), axis=-1)
