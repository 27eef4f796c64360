"""Loudspeaker of each channel, and the coefficients of the downmix to stereo.

Coefficients are those of ITU-R BS.775-3, annex 4, for stereo from 3/2, 2/2, 3/1 and fewer: front
left and right 1, center and each surround 0.7071, a single surround 0.5, low-frequency channel 0.
Other speakers, which the recommendation does not cover, use the same coefficients. The sum is not
attenuated, so the downmix may exceed full scale (by at most 7.7 dB for 5.1). Float samples hold
that; a gain is applied before integers are written.

This module does not import torch, because the sandbox decodes without it.
"""

from __future__ import annotations

import math
import re
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Speakers = tuple[str, ...]
    """Speaker of each channel."""

_HALF_POWER = math.sqrt(0.5)
_BOTH, _LEFT, _RIGHT, _NONE = (
    (_HALF_POWER, _HALF_POWER),
    (_HALF_POWER, 0.0),
    (0.0, _HALF_POWER),
    (0.0, 0.0),
)

_TO_STEREO = {
    "L": (1.0, 0.0),
    "R": (0.0, 1.0),
    "C": _BOTH,
    "LFE": _NONE,
    "Ls": _LEFT,
    "Rs": _RIGHT,
    "Lb": _LEFT,
    "Rb": _RIGHT,
    "Cb": (0.5, 0.5),
    "Lc": _LEFT,
    "Rc": _RIGHT,
    "Ct": (0.5, 0.5),
    "Lt": _LEFT,
    "Rt": _RIGHT,
}

_MASK = (
    *("L", "R", "C", "LFE", "Lb", "Rb", "Lc", "Rc", "Cb", "Ls", "Rs"),
    *("Ct", "Lt", "Ct", "Rt", "Lt", "Ct", "Rt"),
)
"""Speakers of the bits of a mask in WAV. Top speakers are front, then back."""

_FFMPEG = {
    "FL": "L",
    "FR": "R",
    "FC": "C",
    "LFE": "LFE",
    "BL": "Lb",
    "BR": "Rb",
    "FLC": "Lc",
    "FRC": "Rc",
    "BC": "Cb",
    "SL": "Ls",
    "SR": "Rs",
    "TC": "Ct",
    "TFL": "Lt",
    "TFC": "Ct",
    "TFR": "Rt",
    "TBL": "Lt",
    "TBC": "Ct",
    "TBR": "Rt",
    "DL": "L",
    "DR": "R",
    "WL": "L",
    "WR": "R",
    "LFE2": "LFE",
    "SDL": "Ls",
    "SDR": "Rs",
}
"""Speakers by their names in ffmpeg."""

_FFMPEG_LAYOUTS = {
    "2.1": "L R LFE",
    "3.0": "L R C",
    "3.0(back)": "L R Cb",
    "3.1": "L R C LFE",
    "4.0": "L R C Cb",
    "quad": "L R Lb Rb",
    "quad(side)": "L R Ls Rs",
    "4.1": "L R C LFE Cb",
    "5.0": "L R C Lb Rb",
    "5.0(side)": "L R C Ls Rs",
    "5.1": "L R C LFE Lb Rb",
    "5.1(side)": "L R C LFE Ls Rs",
    "6.0": "L R C Cb Ls Rs",
    "6.0(front)": "L R Lc Rc Ls Rs",
    "hexagonal": "L R C Lb Rb Cb",
    "6.1": "L R C LFE Cb Ls Rs",
    "6.1(back)": "L R C LFE Lb Rb Cb",
    "6.1(front)": "L R LFE Lc Rc Ls Rs",
    "7.0": "L R C Lb Rb Ls Rs",
    "7.0(front)": "L R C Lc Rc Ls Rs",
    "7.1": "L R C LFE Lb Rb Ls Rs",
    "7.1(wide)": "L R C LFE Lb Rb Lc Rc",
    "7.1(wide-side)": "L R C LFE Lc Rc Ls Rs",
    "octagonal": "L R C Lb Rb Cb Ls Rs",
}
"""Speakers of the layouts of ffmpeg by name."""

_SNDFILE = (
    *(None, "C", "L", "R", "C", "L", "R", "C", "Cb", "Lb", "Rb", "LFE", "Lc", "Rc", "Ls", "Rs"),
    *("Ct", "Lt", "Rt", "Ct", "Lt", "Rt", "Ct"),
)
"""Speakers of the channel map of libsndfile."""

_WAVE_DEFAULTS: dict[int, Speakers] = {
    1: ("C",),
    2: ("L", "R"),
    3: ("L", "R", "C"),
    4: ("L", "R", "Ls", "Rs"),
    5: ("L", "R", "C", "Ls", "Rs"),
    6: ("L", "R", "C", "LFE", "Ls", "Rs"),
    7: ("L", "R", "C", "LFE", "Cb", "Ls", "Rs"),
    8: ("L", "R", "C", "LFE", "Lb", "Rb", "Ls", "Rs"),
}
"""Channel order by count of files that do not name their speakers."""

_VORBIS: dict[int, Speakers] = {
    3: ("L", "C", "R"),
    4: ("L", "R", "Ls", "Rs"),
    5: ("L", "C", "R", "Ls", "Rs"),
    6: ("L", "C", "R", "Ls", "Rs", "LFE"),
    7: ("L", "C", "R", "Ls", "Rs", "Cb", "LFE"),
    8: ("L", "C", "R", "Ls", "Rs", "Lb", "Rb", "LFE"),
}
"""Channel order by count in Vorbis and Opus, which libsndfile does not change."""


def default_speakers(channels: int) -> Speakers:
    """Return the speakers of channels that a file does not name.

    More than 8 channels have no defined speakers: odd channels go left and even ones right.
    """
    return _WAVE_DEFAULTS.get(channels) or ("L", "R") * (channels // 2) + ("L",) * (channels % 2)


def vorbis_speakers(channels: int) -> Speakers:
    """Return the speakers of Vorbis and Opus."""
    return _VORBIS.get(channels) or default_speakers(channels)


def masked_speakers(mask: int, channels: int) -> Speakers:
    """Return the speakers of a mask in WAV; the defaults if it names another number of them."""
    named = tuple(name for bit, name in enumerate(_MASK) if mask >> bit & 1)
    return named if len(named) == channels else default_speakers(channels)


def sndfile_speakers(channel_map: Sequence[int]) -> Speakers:
    """Return the speakers of a channel map of libsndfile; the defaults if it is incomplete."""
    named = tuple(
        name for number in channel_map if 0 < number < len(_SNDFILE) and (name := _SNDFILE[number])
    )
    return named if len(named) == len(channel_map) else default_speakers(len(channel_map))


def ffmpeg_speakers(layout: str, channels: int) -> Speakers:
    """Return the speakers of a layout of ffmpeg, such as `5.1(side)` or `3 channels (FL+FR+BC)`."""
    named = tuple(_FFMPEG_LAYOUTS.get(layout, "").split())
    if listed := re.search(r"\(([A-Z0-9+]+)\)$", layout):
        named = tuple(_FFMPEG.get(name, "LFE") for name in listed[1].split("+"))
    return named if len(named) == channels else default_speakers(channels)


@cache
def fold_weights(speakers: Speakers) -> NDArray[np.float32]:
    """Return the matrix that folds channels to stereo, shape `(2, channels)`.

    Where a speaker feeds several channels, they have equal power together.
    """
    columns = [np.array(_TO_STEREO[name]) / math.sqrt(speakers.count(name)) for name in speakers]
    return np.array(columns, np.float32).T.copy()


def fold_frames(frames: NDArray[np.float32], speakers: Speakers) -> NDArray[np.float32]:
    """Fold frames of more than two channels to stereo; equal to `channels.fold_to_stereo`.

    Shape: `(samples, channels)` to `(samples, min(channels, 2))`.
    """
    if frames.shape[1] <= 2:
        return frames
    folded = [
        sum(weight * channel for weight, channel in zip(row, frames.T, strict=True))
        for row in fold_weights(speakers)
    ]
    return np.stack(folded, axis=1)


def conform(
    frames: NDArray[np.float32], speakers: Speakers, wanted: Speakers
) -> NDArray[np.float32]:
    """Return frames for other speakers, as ffmpeg does; mono is the center.

    Shape: `(samples, len(speakers))` to `(samples, len(wanted))`.
    """
    if speakers == wanted:
        return frames
    stereo = frames @ np.array(_TO_STEREO["C"], np.float32)[None] if len(speakers) == 1 else frames
    stereo = fold_frames(stereo, speakers)
    if len(wanted) == 1:
        mono: NDArray[np.float32] = stereo @ np.array(_TO_STEREO["C"], np.float32)[:, None]
        return mono
    silence = np.zeros(len(frames), np.float32)
    sides = {"L": stereo[:, 0], "R": stereo[:, 1]}
    return np.stack([sides.pop(name, silence) for name in wanted], axis=1)
