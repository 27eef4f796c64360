"""Which loudspeaker each channel is for, and how many are folded to two.

Coefficients are those of ITU-R BS.775-3, annex 4, for stereo from 3/2, 2/2, 3/1 and fewer: front
left and right at 1, the centre and each surround at 0.7071, a single surround at 0.5, the
low-frequency channel left out. 6.1 and 7.1, which the recommendation doesn't name, take the same
coefficients. The sum is not attenuated, so a fold may exceed full scale (by 7.7 dB at the very
most for 5.1); float samples hold that, and writers are given a gain.

Nothing here needs torch, because processes that only decode do without.
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
"""Channel order by count in WAV, FLAC, AIFF, CAF and what ffmpeg writes."""

VORBIS_LAYOUTS: dict[int, tuple[str, ...]] = {
    3: ("L", "C", "R"),
    4: ("L", "R", "Ls", "Rs"),
    5: ("L", "C", "R", "Ls", "Rs"),
    6: ("L", "C", "R", "Ls", "Rs", "LFE"),
    7: ("L", "C", "R", "Ls", "Rs", "Cb", "LFE"),
    8: ("L", "C", "R", "Ls", "Rs", "Lb", "Rb", "LFE"),
}
"""Channel order by count in Vorbis and Opus, which libsndfile hands on as it finds it."""


@cache
def fold_weights(channels: int, *, vorbis_order: bool = False) -> NDArray[np.float32]:
    """The matrix that folds `channels` to stereo, shape `(2, channels)`.

    Above 8 channels nothing is known of the loudspeakers: odd ones go left and even ones right,
    at equal power.
    """
    layout = (VORBIS_LAYOUTS if vorbis_order else WAVE_LAYOUTS).get(channels)
    if layout is not None:
        return np.array([_TO_STEREO[speaker] for speaker in layout], np.float32).T.copy()
    left = np.arange(channels) % 2 == 0
    sides = np.stack([left, ~left]).astype(np.float32)
    weights: NDArray[np.float32] = sides / np.sqrt(sides.sum(1, keepdims=True))
    return weights
