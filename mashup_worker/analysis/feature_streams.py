"""Evidence about the rhythm on one time axis: strokes by register, and harmony over spans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mashup_worker.analysis import chroma as chroma_module
from mashup_worker.analysis.onsets import FRAME_RATE_HZ, GROUPS

if TYPE_CHECKING:
    from mashup_worker.analysis.arrays import Array
    from mashup_worker.analysis.chroma import Chroma
    from mashup_worker.analysis.onsets import Onsets

STROKES = (*(f"{group} flux" for group in GROUPS), "kick", "snare", "all", "accent")
"""Streams: rise of the compressed level by band group; uncompressed rise of the lowest group; short
bursts of noise; compressed, and uncompressed, rise of all groups together."""

_REACH_FRAMES = 2
_MAX_STROKE = 4.0
_MAX_ACCENT = 2.0


@dataclass(frozen=True, eq=False)
class FeatureStreams:
    """Strokes and harmony of a song over its onset frames.

    Attributes:
        strokes: shape `(len(STROKES), frames)`, mean 0 and standard deviation 1 over the song.
        treble_sum: cumulative sum of the treble chroma, shape `(12, chroma frames + 1)`.
        bass_sum: cumulative sum of the bass chroma, same shape.
    """

    strokes: Array
    treble_sum: Array
    bass_sum: Array

    @property
    def frames(self) -> int:
        """Number of frames."""
        return int(self.strokes.shape[1])

    def at(self, frames: Array) -> Array:
        """Return the strongest strokes within 20 ms of instants.

        Shape: `(instants,)` to `(len(STROKES), instants)`.
        """
        index = np.clip(np.round(frames).astype(int), 0, self.frames - 1)
        return self.strokes[:, index]

    def pitches(self, edges: Array) -> tuple[Array, Array]:
        """Return treble and bass chroma between neighboring instants, given in onset frames.

        Shape: `(instants,)` to two of `(12, instants - 1)`.
        """
        return _between(self.treble_sum, edges), _between(self.bass_sum, edges)

    def changes(self, edges: Array) -> tuple[Array, Array]:
        """Return the change of the treble and of the bass at each inner edge, 0 to 1.

        Shape: `(instants,)` to two of `(instants - 2,)`.
        """
        treble, bass = self.pitches(edges)
        return _distance(treble), _distance(bass)


def feature_streams(onsets: Onsets, harmony: Chroma) -> FeatureStreams:
    """Build the streams of one song from features without batch axes.

    Args:
        onsets: onsets of the sound that carries the rhythm.
        harmony: chroma of the sound that carries the harmony, which may be another stem.
    """
    flux = onsets.groups.cpu().double().numpy()
    kick = np.sqrt(onsets.accents[0].cpu().double().numpy())
    snare = np.sqrt(onsets.bursts.cpu().double().numpy())
    rows = np.concatenate([flux, [kick, snare, flux.mean(axis=0)]])
    rows = np.minimum(rows, _MAX_STROKE * rows.mean(axis=1, keepdims=True))
    rows = np.concatenate([rows, [_accents(onsets)]])
    padded = np.pad(rows, ((0, 0), (_REACH_FRAMES, _REACH_FRAMES)), mode="edge")
    pooled = sliding_window_view(padded, 2 * _REACH_FRAMES + 1, axis=1).max(axis=-1)
    return FeatureStreams(
        strokes=standardized(pooled),
        treble_sum=_cumulative(harmony.treble.cpu().double().numpy()),
        bass_sum=_cumulative(harmony.bass.cpu().double().numpy()),
    )


def _accents(onsets: Onsets) -> Array:
    """Return the uncompressed rise, limited to twice that of the usual stroke.

    A limit by the mean would make all clicks of a metronome alike, since most of it is silent.
    """
    rise = np.sqrt(onsets.accents.mean(dim=0).cpu().double().numpy())
    inner = rise[1:-1]
    peaks = inner[(inner > rise[:-2]) & (inner >= rise[2:]) & (inner > rise.mean())]
    return np.asarray(np.minimum(rise, _MAX_ACCENT * np.median(peaks)) if len(peaks) else rise)


def standardized(rows: Array) -> Array:
    """Scale rows to mean 0 and standard deviation 1; constant rows become 0."""
    spread = rows.std(axis=1, keepdims=True)
    centered = rows - rows.mean(axis=1, keepdims=True)
    return np.asarray(np.where(spread > 1e-9, centered / np.maximum(spread, 1e-9), 0.0))


def _cumulative(chroma: Array) -> Array:
    level = chroma.sum(axis=0).mean()
    return np.pad(np.cumsum(chroma / max(level, 1e-12), axis=1), ((0, 0), (1, 0)))


def _distance(chroma: Array) -> Array:
    """Return one minus the cosine between neighbors, shape `(12, n)` to `(n - 1,)`."""
    before, after = chroma[:, :-1], chroma[:, 1:]
    norms = np.sqrt(np.square(before).sum(axis=0) * np.square(after).sum(axis=0))
    return np.asarray(1 - (before * after).sum(axis=0) / np.maximum(norms, 1e-9))


def _between(sums: Array, edges: Array) -> Array:
    # Chroma frame i covers half a hop on both sides, so its edge lies half a frame before it.
    position = edges / FRAME_RATE_HZ * chroma_module.FRAME_RATE_HZ + 0.5
    index = np.clip(position, 0, sums.shape[1] - 1)
    below = np.minimum(index.astype(int), sums.shape[1] - 2)
    share = index - below
    value = sums[:, below] * (1 - share) + sums[:, below + 1] * share
    return np.diff(value, axis=1)
