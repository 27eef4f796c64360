"""Bus compressor for the sum of a mix."""

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
    """Compressor of `ratio` dB of input per dB of output above a threshold.

    The threshold follows from `reduction_db`, the reduction at the 90th percentile of levels. It
    rises in `attack_s` and falls in `release_s`.
    """

    ratio: float = 2.0
    reduction_db: float = 2.0
    attack_s: float = 0.02
    release_s: float = 0.15


def compress(audio: Audio, how: Compression) -> Audio:
    """Compress all channels by one gain, without make-up gain; silence is returned unchanged."""
    gain_db = -reduction_db(audio, how)
    if not len(gain_db):
        return audio
    step = step_samples(audio.sample_rate)
    at_each = at_samples(gain_db, step, audio.length_samples)
    return Audio(audio.samples * 10 ** at_each.div_(20), audio.sample_rate)


def reduction_db(audio: Audio, how: Compression) -> Tensor:
    """Return the gain reduction of each envelope step, shape `(steps,)`; empty for none."""
    levels = levels_db(audio.samples, audio.sample_rate)
    sounding = levels[levels > _SILENCE_DB].sort().values
    if not len(sounding) or how.reduction_db <= 0 or how.ratio <= 1:
        return levels[:0]
    steps_per_second = audio.sample_rate / step_samples(audio.sample_rate)
    fall = how.reduction_db / max(1.0, how.release_s * steps_per_second)
    share = 1 - 1 / how.ratio
    # Hold and smooth levels as the reduction will be, so that the threshold fits them.
    followed = smoothed(released(levels, fall / share), round(how.attack_s * steps_per_second))
    ranked = followed[levels > _SILENCE_DB].sort().values
    loud = float(ranked[math.ceil(_LOUD_SHARE * len(ranked)) - 1])
    # Inverse of the knee: level above the threshold that is reduced by `reduction_db`.
    above = _KNEE_DB * math.log(math.expm1(how.reduction_db / (share * _KNEE_DB)))
    return share * _KNEE_DB * F.softplus((followed - loud + above) / _KNEE_DB)
