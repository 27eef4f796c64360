"""Sounds to stretch whose correct result is known.

Drum hits have an onset each; chords and a voice can be made along any time map and at any pitch, so
what an engine gives can be held against the real thing. Another seed, another sound.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch

from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.stretch.time_map import TimeMap
from synth import drums
from synth.core import RATE_HZ, Signal, pan

if TYPE_CHECKING:
    from collections.abc import Sequence

DURATION_S = 6.0

_QUIET_S = 0.05
"""Between the end of a hit and the next: sound there was not played."""

_HIGHEST_HZ = 9_000.0
_HIGHEST_VOICE_HZ = 4_500.0
_PROGRESSION_STEPS = (0, 5, 7, -3, -5, 2, 4)
_TRIADS = ((0, 4, 7), (0, 3, 7), (0, 4, 9), (0, 5, 9))
_VOWELS_HZ = ((730, 1090, 2440), (530, 1840, 2480), (300, 870, 2240), (270, 2290, 3010))
"""First three formants of vowels of men; G. Peterson and H. Barney, "Control methods used in a
study of the vowels", JASA 24(2), 1952."""


@dataclass(frozen=True, eq=False)
class Hits:
    """Drum hits, some of them to the left or right.

    Attributes:
        audio: the sound, stereo.
        onsets: samples at which hits begin, int64, rising.
    """

    audio: Audio = field(repr=False)
    onsets: torch.Tensor


def even(ratio: float, duration_s: float = DURATION_S) -> TimeMap:
    """All of a sound at one ratio."""
    return TimeMap.constant(round(duration_s * RATE_HZ), ratio)


def uneven(ratio: float, duration_s: float = DURATION_S) -> TimeMap:
    """About this ratio, and another one every beat or so, as from a drummer to a grid."""
    source = [round(part * duration_s * RATE_HZ) for part in (0, 0.09, 0.2, 0.42, 0.5, 0.71, 1)]
    factors = (1.03, 0.98, 1.02, 0.96, 1.01, 0.99)
    pieces = ratio * np.diff(source) * factors
    return TimeMap(tuple(source), (0, *np.cumsum(pieces.round().astype(int)).tolist()))


def single_hits(seed: int, duration_s: float = DURATION_S) -> Hits:
    """Hits with nothing between them."""
    rng = np.random.default_rng([seed, 1])
    placed, start_s = [], 0.1
    while start_s < duration_s - 0.6:
        hit = _hit(rng)
        placed.append((start_s, hit))
        start_s += len(hit) / RATE_HZ + _QUIET_S + rng.uniform(0, 0.2)
    return _laid_out(rng, placed, duration_s)


def groove(seed: int, duration_s: float = DURATION_S) -> Hits:
    """Hits over each other's ends, at a sixteenth from the next."""
    rng = np.random.default_rng([seed, 2])
    step_s = 60 / rng.uniform(90, 174) / 4
    steps = np.arange(0.1, duration_s - 0.3, step_s)
    placed = [(step, _hit(rng)) for step in steps if rng.uniform() < 0.7]
    return _laid_out(rng, placed, duration_s)


@lru_cache(maxsize=256)
def chords(seed: int, time_map: TimeMap, semitones: float = 0.0) -> Audio:
    """Four chords with a bass, stereo, as they are when played along a map.

    Partials keep their frequencies, and their levels follow the map.
    """
    rng = np.random.default_rng([seed, 3])
    moments_s, source_s = _moments(time_map)
    length_s = time_map.source_samples / RATE_HZ / 4
    out = np.zeros((2, len(moments_s)))
    for start_s in np.arange(4) * length_s:
        root = 57 + int(rng.choice(_PROGRESSION_STEPS))
        triad = _TRIADS[rng.integers(len(_TRIADS))]
        now = (source_s >= start_s) & (source_s < start_s + length_s)
        since_s = source_s[now] - start_s
        for pitch in (root - 24, *(root + step for step in triad)):
            hz = 440 * 2 ** ((pitch + semitones - 69) / 12)
            edges = np.clip(np.minimum(since_s / 0.012, (length_s - since_s) / 0.06), 0, 1)
            note = edges * _note(rng, hz, moments_s[now], since_s)
            out[:, now] += pan(note, rng.uniform(-0.8, 0.8))
    return Audio(torch.from_numpy(0.06 * out).float(), RATE_HZ)


@lru_cache(maxsize=64)
def voice(seed: int, time_map: TimeMap, semitones: float = 0.0) -> Audio:
    """Four vowels with vibrato, mono, that keep their formants at any pitch."""
    rng = np.random.default_rng([seed, 4])
    _, source_s = _moments(time_map)
    vowels = rng.permutation(len(_VOWELS_HZ))
    duration_s = time_map.source_samples / RATE_HZ
    centres = duration_s * (np.arange(len(vowels)) + 0.5) / len(vowels)
    formants_hz = [np.interp(source_s, centres, hz) for hz in np.take(_VOWELS_HZ, vowels, 0).T]
    bend = semitones + 0.25 * np.sin(2 * np.pi * 5 * source_s)
    f0_hz = rng.uniform(140, 220) * 2 ** (bend / 12)
    phase = np.cumsum(f0_hz) / RATE_HZ
    out = np.zeros_like(phase)
    for order in range(1, int(_HIGHEST_VOICE_HZ / f0_hz.max())):
        out += _resonance(order * f0_hz, formants_hz) / order * np.sin(2 * np.pi * order * phase)
    fade = np.clip(np.minimum(source_s, duration_s - source_s) / 0.05, 0, 1)
    return Audio(torch.from_numpy(0.2 * out * fade / np.abs(out).max()).float()[None], RATE_HZ)


def _hit(rng: np.random.Generator) -> Signal:
    loudness, kind = rng.uniform(0.3, 0.8), rng.integers(4)
    if kind == 0:
        hit = drums.kick(rng, tone_hz=rng.uniform(42, 60), half_life_s=rng.uniform(0.04, 0.1))
    elif kind == 1:
        hit = drums.snare(rng, tone_hz=rng.uniform(160, 220), half_life_s=rng.uniform(0.03, 0.06))
    elif kind == 2:
        hit = drums.hat(rng, half_life_s=rng.uniform(0.012, 0.05))
    else:
        hit = drums.rim(rng)
    return np.asarray(loudness * hit)


def _laid_out(
    rng: np.random.Generator, placed: Sequence[tuple[float, Signal]], duration_s: float
) -> Hits:
    out = np.zeros((2, round(duration_s * RATE_HZ)))
    onsets = [round(start_s * RATE_HZ) for start_s, _ in placed]
    for onset, (_, hit) in zip(onsets, placed, strict=True):
        sound = pan(hit, rng.uniform(-0.5, 0.5))[:, : out.shape[1] - onset]
        out[:, onset : onset + sound.shape[1]] += sound
    return Hits(Audio(torch.from_numpy(0.5 * out).float(), RATE_HZ), torch.tensor(onsets))


def _moments(time_map: TimeMap) -> tuple[Signal, Signal]:
    """Times of the copy's samples, and the source's times that belong there."""
    at = torch.arange(time_map.target_samples)
    return at.numpy() / RATE_HZ, time_map.source_at(at).numpy() / RATE_HZ


def _note(rng: np.random.Generator, hz: float, moments_s: Signal, since_s: Signal) -> Signal:
    """A struck note: partials of which the higher die sooner."""
    out = np.zeros_like(moments_s)
    for order, start in enumerate(rng.uniform(size=24), 1):
        if order * hz > _HIGHEST_HZ:
            break
        partial = np.sin(2 * np.pi * (order * hz * moments_s + start))
        out += partial / order * np.exp(-since_s * (0.5 + 0.25 * order))
    return out


def _resonance(hz: Signal, formants_hz: Sequence[Signal]) -> Signal:
    peaks = [1 / (1 + ((hz - centre) / 90) ** 2) for centre in formants_hz]
    return np.asarray(0.02 + np.sum(peaks, axis=0))
