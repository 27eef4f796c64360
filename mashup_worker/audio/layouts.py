"""Loudspeaker of each channel, and the coefficients of the downmix to stereo.

Coefficients are those of ITU-R BS.775-3, annex 4, for stereo from 3/2, 2/2, 3/1 and fewer: front
left and right 1, center and each surround 0.7071, a single surround 0.5, low-frequency channel 0.
6.1 and 7.1, which the recommendation does not cover, use the same coefficients. The sum is not
attenuated, so the downmix may exceed full scale (by at most 7.7 dB for 5.1). Float samples hold
that; a gain is applied before integers are written.

This module does not import torch, because the sandbox decodes without it.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HALF_POWER = math.sqrt(0.5)

_TO_STEREO = {
    "L": (1.0, 0.0),
    "R": (0.0, 1.0),
    "C": (_HALF_POWER, _HALF_POWER),
    "LFE": (0.0, 0.0),
    "Ls": (_HALF_POWER, 0.0),
    "Rs": (0.0, _HALF_POWER),
    "Lb": (_HALF_POWER, 0.0),
    "Rb": (0.0, _HALF_POWER),
    "Cb": (0.5, 0.5),
}

WAVE_LAYOUTS: dict[int, tuple[str, ...]] = {
    3: ("L", "R", "C"),
    4: ("L", "R", "Ls", "Rs"),
    5: ("L", "R", "C", "Ls", "Rs"),
    6: ("L", "R", "C", "LFE", "Ls", "Rs"),
    7: ("L", "R", "C", "LFE", "Cb", "Ls", "Rs"),
    8: ("L", "R", "C", "LFE", "Lb", "Rb", "Ls", "Rs"),
}
"""Channel order by count in WAV, FLAC, AIFF, CAF and the output of ffmpeg."""

VORBIS_LAYOUTS: dict[int, tuple[str, ...]] = {
    3: ("L", "C", "R"),
    4: ("L", "R", "Ls", "Rs"),
    5: ("L", "C", "R", "Ls", "Rs"),
    6: ("L", "C", "R", "Ls", "Rs", "LFE"),
    7: ("L", "C", "R", "Ls", "Rs", "Cb", "LFE"),
    8: ("L", "C", "R", "Ls", "Rs", "Lb", "Rb", "LFE"),
}
"""Channel order by count in Vorbis and Opus, which libsndfile does not change."""


@cache
def fold_weights(channels: int, *, vorbis_order: bool = False) -> NDArray[np.float32]:
    """Return the matrix that folds `channels` to stereo, shape `(2, channels)`.

    More than 8 channels have no defined loudspeakers: odd channels go left and even ones right, at
    equal power.
    """
    layout = (VORBIS_LAYOUTS if vorbis_order else WAVE_LAYOUTS).get(channels)
    if layout is not None:
        return np.array([_TO_STEREO[speaker] for speaker in layout], np.float32).T.copy()
    left = np.arange(channels) % 2 == 0
    sides = np.stack([left, ~left]).astype(np.float32)
    weights: NDArray[np.float32] = sides / np.sqrt(sides.sum(1, keepdims=True))
    return weights


def fold_frames(frames: NDArray[np.float32], *, vorbis_order: bool) -> NDArray[np.float32]:
    """Fold frames of more than two channels to stereo; equal to `channels.fold_to_stereo`.

    Shape: `(samples, channels)` to `(samples, min(channels, 2))`.
    """
    channels = frames.shape[1]
    if channels <= 2:
        return frames
    weights = fold_weights(channels, vorbis_order=vorbis_order)
    folded = [
        sum(weight * channel for weight, channel in zip(row, frames.T, strict=True))
        for row in weights
    ]
    return np.stack(folded, axis=1)
