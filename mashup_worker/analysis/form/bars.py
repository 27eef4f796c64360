"""Bars of a song, with their levels by register, strokes and pitch classes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch

from mashup_worker.analysis import chroma as chroma_module
from mashup_worker.analysis.frames import magnitudes
from mashup_worker.analysis.onsets import FRAME_RATE_HZ as ONSET_RATE_HZ
from mashup_worker.analysis.onsets import RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from mashup_worker.analysis.arrays import Array
    from mashup_worker.analysis.chroma import Chroma
    from mashup_worker.analysis.onsets import Onsets

HOP_SAMPLES = 1024
FRAME_RATE_HZ = RATE_HZ / HOP_SAMPLES
BANDS = 24
_WINDOW_SAMPLES = 2048
_LOWEST_HZ, _HIGHEST_HZ = 40.0, 10_000.0
_RANGE_DB = 60.0
_STEPS = 16
"""Places of a bar at which strokes are compared."""

_HALVES = 2
"""Parts of a bar whose pitch classes are compared."""


@dataclass(frozen=True, eq=False)
class BarFeatures:
    """Features of each bar of a song.

    Attributes:
        edges_s: starts of the bars, and the end of the last, shape `(bars + 1,)`.
        levels_db: level by register, and by stem where they are known, at least -60 dB below the
            loudest register of the song, shape `(rows, bars)`.
        strokes: strength of the strokes by band group and place, shape `(rows, bars)`.
        pitches: strength of the pitch classes of treble and bass in each half, shape
            `(rows, bars)`.
        power: mean power, shape `(bars,)`.
        powers: mean power of each sound by its name, each of shape `(bars,)`.
    """

    edges_s: Array
    levels_db: Array
    strokes: Array
    pitches: Array
    power: Array
    powers: Mapping[str, Array] = field(default_factory=dict)

    @property
    def bars(self) -> int:
        """Number of bars."""
        return len(self.power)

    @property
    def total_db(self) -> Array:
        """Level relative to the loudest bar, at least -60 dB, shape `(bars,)`."""
        return self.relative_db(self.power)

    def relative_db(self, power: Array) -> Array:
        """Return power relative to the loudest bar of the song, at least -60 dB, same shape."""
        loudest = max(float(self.power.max()), 1e-20)
        return np.asarray(np.maximum(10 * np.log10(np.maximum(power, 1e-20) / loudest), -_RANGE_DB))

    @property
    def pitch_classes(self) -> Array:
        """Strength of the pitch classes in whole bars, shape `(24, bars)`."""
        return np.asarray(self.pitches.reshape(-1, _HALVES, self.bars).mean(axis=1))


def bar_edges_s(downbeats_s: Sequence[float], duration_s: float) -> Array:
    """Return the starts of the bars and the end of the last, which is as long as the one before.

    Shape: `(bars + 1,)`; empty for fewer than two bars.
    """
    starts = np.asarray(downbeats_s, dtype=float)
    if len(starts) < 2:
        return np.zeros(0)
    end_s = min(duration_s, 2 * starts[-1] - starts[-2])
    return np.append(starts, end_s) if end_s > starts[-1] + 0.05 else starts


def bar_features(
    edges_s: Array, sounds: Mapping[str, Tensor], harmony: Chroma, onsets: Onsets
) -> BarFeatures:
    """Compute the features of the bars of a song.

    Args:
        edges_s: as from `bar_edges_s`, not empty.
        sounds: mono sounds at the rate of the onsets that add up to the song: its stems, or itself.
        harmony: chroma of the sound that carries the harmony.
        onsets: onsets of the sound that carries the rhythm.
    """
    powers = {
        name: means_between(band_power(sound).double().cpu().numpy(), edges_s * FRAME_RATE_HZ)
        for name, sound in sounds.items()
    }
    return BarFeatures(
        edges_s=edges_s,
        levels_db=np.concatenate([_levels_db(power) for power in powers.values()]),
        strokes=_strokes(onsets, edges_s),
        pitches=_pitches(harmony, edges_s),
        power=np.sum(list(powers.values()), axis=(0, 1)),
        powers={name: power.sum(axis=0) for name, power in powers.items()},
    )


def band_power(samples: Tensor) -> Tensor:
    """Return the power by register of mono sound at `RATE_HZ`, shape `(BANDS, frames)`."""
    filters = _filters().to(samples.device)
    pieces = [
        filters @ magnitude[0].square().T
        for magnitude, _, _ in magnitudes(samples[None], _WINDOW_SAMPLES, HOP_SAMPLES)
    ]
    return torch.cat(pieces, dim=-1)


def _levels_db(power: Array) -> Array:
    levels = 10 * np.log10(np.maximum(power, 1e-20))
    return np.asarray(np.maximum(levels - levels.max(), -_RANGE_DB))


def _strokes(onsets: Onsets, edges_s: Array) -> Array:
    rows = onsets.groups.double().cpu().numpy()
    rows = rows / np.maximum(rows.mean(axis=1, keepdims=True), 1e-12)
    # Strokes are gathered from half a step before their place.
    shift = 0.5 / _STEPS * np.diff(edges_s, append=2 * edges_s[-1] - edges_s[-2])
    edges = _subdivided(edges_s - shift, _STEPS)
    return _by_bar(means_between(rows, edges * ONSET_RATE_HZ), _STEPS)


def _pitches(harmony: Chroma, edges_s: Array) -> Array:
    rows = torch.cat([harmony.treble, harmony.bass]).double().cpu().numpy()
    edges = _subdivided(edges_s, _HALVES) * chroma_module.FRAME_RATE_HZ
    return _by_bar(means_between(rows, edges), _HALVES)


def _subdivided(edges: Array, parts: int) -> Array:
    count = len(edges)
    return np.interp(np.arange((count - 1) * parts + 1) / parts, np.arange(count), edges)


def _by_bar(rows: Array, parts: int) -> Array:
    """Move the parts of each bar into rows: `(rows, bars * parts)` to `(rows * parts, bars)`."""
    split = rows.reshape(len(rows), -1, parts)
    return np.asarray(np.moveaxis(split, 1, 2).reshape(len(rows) * parts, -1))


def means_between(rows: Array, edges: Array) -> Array:
    """Return the means of rows between neighboring fractional frames.

    Shape: `(rows, frames)` to `(rows, len(edges) - 1)`.
    """
    first = np.clip(np.round(edges[:-1]).astype(int), 0, rows.shape[1] - 1)
    last = np.clip(np.maximum(np.round(edges[1:]).astype(int), first + 1), 1, rows.shape[1])
    sums = np.pad(np.cumsum(rows, axis=1), ((0, 0), (1, 0)))
    return np.asarray((sums[:, last] - sums[:, first]) / np.maximum(last - first, 1))


@lru_cache(maxsize=1)
def _filters() -> Tensor:
    """Return weights that add the bins of a register, shape `(BANDS, bins)`."""
    edges_hz = np.geomspace(_LOWEST_HZ, _HIGHEST_HZ, BANDS + 1)
    edges_hz[0] = 0.0
    width_hz = RATE_HZ / _WINDOW_SAMPLES
    # A register as wide as a bin or less takes its share of it.
    low = (np.arange(_WINDOW_SAMPLES // 2 + 1) - 0.5) * width_hz
    overlap = np.minimum(low + width_hz, edges_hz[1:, None]) - np.maximum(low, edges_hz[:-1, None])
    return torch.from_numpy(np.maximum(overlap, 0) / width_hz).float()
