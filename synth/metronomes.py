"""Metronomes and click tracks: clicks only, of which the first of each bar is accented."""

from __future__ import annotations

import numpy as np
import torch

from mashup_worker.audio.signal import Audio
from synth.core import RATE_HZ, Signal, noise, sine, times
from synth.song import Song, Truth
from synth.timeline import Track

_BEATS_PER_BAR = (2, 3, 3, 4, 4, 4, 5, 7)
_NOISY = 0.3


def metronome(seed: int) -> Song:
    """The metronome of a seed, 20 to 40 s long; an accent is higher, or louder, or both."""
    rng = np.random.default_rng([17, seed])
    per_bar = int(rng.choice(_BEATS_PER_BAR))
    tempo_bpm = float(np.round(rng.uniform(50, 200), rng.integers(0, 2)))
    start_s = float(rng.choice([0.0, rng.uniform(0, 1.5)]))
    bars = max(4, int(rng.uniform(20, 40) * tempo_bpm / 60) // per_bar)
    higher = float(rng.choice([1.0, rng.uniform(1.2, 2.0)]))
    pitch_hz, timbre = float(rng.uniform(500, 2_000)), str(rng.choice(["beep", "wood", "noise"]))
    louder = float(rng.uniform(1.5 if higher == 1 or timbre == "noise" else 1.0, 3.0))
    click, accent = (_click(rng, timbre, hz) for hz in (pitch_hz, pitch_hz * higher))
    gain = rng.uniform(0.1, 0.3)
    beats_s = start_s + np.arange(bars * per_bar) * 60 / tempo_bpm
    track = Track(float(beats_s[-1]) + 60 / tempo_bpm)
    for beat, at_s in enumerate(beats_s):
        first = beat % per_bar == 0
        track.add(accent if first else click, float(at_s), gain * louder if first else gain)
    room = 10 ** rng.uniform(-4.5, -3) * (rng.random() < _NOISY)
    sound = track.sound + room * rng.standard_normal(track.sound.shape)
    audio = Audio(torch.from_numpy(sound).float(), RATE_HZ)
    truth = Truth(
        tempo_bpm=tempo_bpm,
        beats_s=tuple(beats_s.tolist()),
        downbeats_s=tuple(beats_s[::per_bar].tolist()),
        beats_per_bar=per_bar,
        key=None,
        tuning_cents=0.0,
        has_drums=True,
        style="metronome",
    )
    return Song(f"metronome-{seed}", audio, {"drums": audio}, truth)


def _click(rng: np.random.Generator, timbre: str, hz: float) -> Signal:
    """A short click of a pitch, full scale."""
    time_s = times(0.12)
    if timbre == "noise":
        half_life_s = float(rng.uniform(0.004, 0.02)) * 1_000 / hz
        return np.asarray(noise(rng, 0.12) * 0.5 ** (time_s / half_life_s) / 3)
    half_life_s = float(rng.uniform(0.005, 0.03))
    wave = sine(time_s * hz)
    if timbre == "wood":
        wave = 0.7 * wave + 0.3 * sine(time_s * hz * 2.4)
    return np.asarray(wave * 0.5 ** (time_s / half_life_s))
