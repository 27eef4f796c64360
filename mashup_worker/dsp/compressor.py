"""A bus compressor: holds the loud parts of a mix together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch.nn.functional as F

from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.envelope import at_samples, levels_db, released, smoothed, step_samples

if TYPE_CHECKING:
    from torch import Tensor

_LOUD_SHARE = 0.9
_SILENCE_DB = -80.0
_KNEE_DB = 3.0


@dataclass(frozen=True)
class Compression:
    """How a compressor works.

    Attributes:
        ratio: how many dB more come in for one more that goes out, above the threshold.
        reduction_db: what it takes off the loud parts (the 90th percentile of levels); that puts
            the threshold where it belongs.
        attack_s: how fast it takes hold.
        release_s: how long it needs to let go of `reduction_db`.
    """

    ratio: float = 2.0
    reduction_db: float = 2.0
    attack_s: float = 0.02
    release_s: float = 0.15


def compress(audio: Audio, how: Compression) -> Audio:
    """Compress all channels by one gain; no make-up gain.

    Shape: `(channels, samples)` to the same. Silence comes back as it is.
    """
    gain_db = -reduction_db(audio, how)
    if not len(gain_db):
        return audio
    step = step_samples(audio.rate_hz)
    at_each = at_samples(gain_db, step, audio.length_samples)
    return Audio(audio.samples * 10 ** (at_each / 20), audio.rate_hz)


def reduction_db(audio: Audio, how: Compression) -> Tensor:
    """What is taken off, at every step of the envelope, shape `(steps,)`; empty for nothing."""
    levels = levels_db(audio.samples, audio.rate_hz)
    sounding = levels[levels > _SILENCE_DB].sort().values
    if not len(sounding) or how.reduction_db <= 0 or how.ratio <= 1:
        return levels[:0]
    steps_per_second = audio.rate_hz / step_samples(audio.rate_hz)
    fall = how.reduction_db / max(1.0, how.release_s * steps_per_second)
    share = 1 - 1 / how.ratio
    # Levels held and smoothed as the reduction will be, so that the threshold fits them.
    followed = smoothed(released(levels, fall / share), round(how.attack_s * steps_per_second))
    ranked = followed[levels > _SILENCE_DB].sort().values
    loud = float(ranked[math.ceil(_LOUD_SHARE * len(ranked)) - 1])
    # The knee turned round: how far above the threshold takes off just `reduction_db`.
    above = _KNEE_DB * math.log(math.expm1(how.reduction_db / (share * _KNEE_DB)))
    return share * _KNEE_DB * F.softplus((followed - loud + above) / _KNEE_DB)
