"""Times with singing, from the level of the vocals stem."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mashup_worker.analysis.form.bars import FRAME_RATE_HZ, band_power
from mashup_worker.analysis.form.result import SingingInterval
from mashup_worker.analysis.onsets import RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from mashup_worker.analysis.arrays import Array

_LOWEST_BAND = 4
"""The bands below 100 Hz hold leaks from kick and bass."""

_BELOW_LOUD_DB, _BELOW_MIX_DB = 26.0, 26.0
_LOUD_PERCENTILE = 95
_SILENCE_DB = -70.0
_PAUSE_S = 0.5
_SHORTEST_S = 0.25
_SURE_DB = 12.0
_EARLY_S = 0.5 / FRAME_RATE_HZ


def find_singing(vocals: Tensor, mix: Tensor) -> tuple[SingingInterval, ...]:
    """Find the times with singing.

    Vocals count as singing down to 26 dB below their own loud parts and below the song. Pauses of
    less than half a second are included.

    Args:
        vocals: vocals stem, mono at the rate of the onsets, shape `(samples,)`.
        mix: the song, same shape.
    """
    above_db = margin_db(vocals, mix)
    sung = above_db > 0
    edges = np.flatnonzero(np.diff(sung.astype(int), prepend=0, append=0)).reshape(-1, 2)
    last_s = len(vocals) / RATE_HZ
    found = []
    for first, stop in _joined(edges.tolist()):
        start_s = max(0.0, first / FRAME_RATE_HZ - _EARLY_S)
        stop_s = (stop - 1) / FRAME_RATE_HZ + _EARLY_S
        if stop_s - start_s >= _SHORTEST_S:
            confidence = float(np.clip(above_db[first:stop].mean() / _SURE_DB, 0, 1))
            found.append(SingingInterval(start_s, min(stop_s, last_s), confidence))
    return tuple(found)


def margin_db(vocals: Tensor, mix: Tensor) -> Array:
    """Return by how much the vocals exceed the least level of singing in each frame, in dB."""
    voice, song = (
        10 * np.log10(band_power(sound)[_LOWEST_BAND:].sum(dim=0).double().cpu().numpy() + 1e-12)
        for sound in (vocals, mix)
    )
    loud_db = float(np.percentile(voice, _LOUD_PERCENTILE))
    least = np.maximum(song - _BELOW_MIX_DB, max(loud_db - _BELOW_LOUD_DB, _SILENCE_DB))
    return np.asarray(voice - least)


def singing_share(singing: Sequence[SingingInterval], start_s: float, stop_s: float) -> float:
    """Return the share of a time that has singing, 0 to 1."""
    sung_s = sum(max(0.0, min(one.stop_s, stop_s) - max(one.start_s, start_s)) for one in singing)
    return min(1.0, sung_s / max(stop_s - start_s, 1e-9))


def _joined(runs: Sequence[Sequence[int]]) -> list[list[int]]:
    """Join runs of frames, each from its first to before its second, over short pauses."""
    out: list[list[int]] = []
    for first, stop in runs:
        if out and (first - out[-1][1]) / FRAME_RATE_HZ < _PAUSE_S:
            out[-1][1] = stop
        else:
            out.append([first, stop])
    return out
