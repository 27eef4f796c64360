"""Drums and percussion, drawn anew for each song."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import butter, sosfilt

from synth.roadshow.tones import RATE_HZ, Wave
from synth.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator


_TABLE = read_table("roadshow/kits.toml")
KITS: dict[str, dict[str, list[float]]] = _TABLE["kits"]
_NOISES: dict[str, list[float]] = _TABLE["noises"]
_DRUMS: dict[str, list[float]] = _TABLE["drums"]
_BLOCKS: dict[str, tuple[list[float], float, float]] = _TABLE["blocks"]
PIECES = ("kick", "snare", "ride", *_NOISES, *_DRUMS, *_BLOCKS)


class DrumKit:
    """The drums of one song; three versions of each piece take turns."""

    def __init__(self, name: str, rng: Generator) -> None:
        ranges = KITS.get(name, KITS["studio"])
        self.rng = rng
        self.kit = {field: float(rng.uniform(pair[0], pair[1])) for field, pair in ranges.items()}
        self.pitch = float(rng.uniform(0.94, 1.06))
        self.pans = {piece: float(rng.uniform(-0.5, 0.5)) for piece in PIECES}
        self.pans |= {"kick": 0.0, "snare": float(rng.uniform(-0.1, 0.1))}
        self.waves: dict[tuple[str, int], Wave] = {}

    def strike(self, piece: str, loudness: float, turn: int) -> Wave:
        """Sound of one stroke, mono."""
        key = (piece, turn % 3)
        if key not in self.waves:
            self.waves[key] = np.asarray(self._draw(piece), dtype=np.float32)
        return self.waves[key] * np.float32(loudness**1.5)

    def _draw(self, piece: str) -> Wave:
        kit = self.kit
        if piece == "kick":
            wave = self._skin(kit["kick_hz"], kit["kick_s"], 3.0, 0.02)
            click = self._noise(2500, 9000, 0.004, 0.03)
            wave[: len(click)] += kit["kick_click"] * click
            return wave
        if piece == "snare":
            wave = 0.5 * self._skin(kit["snare_hz"], kit["snare_s"] * 0.6, 0.4, 0.05)
            noise = kit["snare_noise"] * self._noise(500, 9500, kit["snare_s"], 0.5)
            wave[: len(noise)] += noise[: len(wave)]
            return wave
        if piece == "ride":
            return 0.3 * self._metal((3140, 4370, 5210, 6880, 8230), 0.35)
        if piece in _NOISES:
            low, high, short, long, gain = _NOISES[piece]
            decay_s = kit["hat_s"] if piece == "hat" else float(self.rng.uniform(short, long))
            gain *= kit["hat_gain"] if piece in ("hat", "open") else 1.0
            wave = self._noise(low, high, decay_s, 8 * decay_s)
            if piece == "clap":
                for delay_s in (0.009, 0.018):
                    at = int(delay_s * RATE_HZ)
                    wave[at:] += 0.8 * wave[:-at].copy()
            return np.float32(gain) * wave
        if piece in _DRUMS:
            low, high, decay_s, fall, noise_gain, gain = _DRUMS[piece]
            wave = self._skin((low + high) / 2 * self.pitch, decay_s, fall, 0.03)
            noise = noise_gain * self._noise(800, 6000, 0.015, 0.08)
            wave[: len(noise)] += noise
            return np.float32(gain) * wave
        partials, decay_s, gain = _BLOCKS[piece]
        return np.float32(gain) * self._metal(partials, decay_s)

    def _skin(self, hz: float, decay_s: float, fall: float, fall_s: float) -> Wave:
        time = np.arange(int(min(1.2, 7 * decay_s + 0.1) * RATE_HZ)) / RATE_HZ
        cycles = hz * (time + fall * fall_s * (1 - np.exp(-time / fall_s)))
        wave = np.sin(2 * np.pi * cycles * self.rng.uniform(0.99, 1.01)) * np.exp(-time / decay_s)
        return np.asarray(wave, dtype=np.float32)

    def _metal(self, partials: Sequence[float], decay_s: float) -> Wave:
        time = np.arange(int(6 * decay_s * RATE_HZ)) / RATE_HZ
        wave = np.zeros_like(time)
        for number, hz in enumerate(partials):
            wave += np.sin(2 * np.pi * hz * self.pitch * time + number) * 0.8**number
        click = 0.4 * self.rng.standard_normal(len(time)) * np.exp(-time / 0.003)
        return np.asarray((0.7 * wave + click) * np.exp(-time / decay_s), dtype=np.float32)

    def _noise(self, low_hz: float, high_hz: float, decay_s: float, length_s: float) -> Wave:
        noise = self.rng.standard_normal(max(64, int(length_s * RATE_HZ)))
        sos = butter(2, (low_hz, high_hz), "bandpass", fs=RATE_HZ, output="sos")
        time = np.arange(len(noise)) / RATE_HZ
        return np.asarray(sosfilt(sos, noise) * np.exp(-time / decay_s), dtype=np.float32)
