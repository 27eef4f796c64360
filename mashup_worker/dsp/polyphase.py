"""Sample rate conversion of tensors on any device."""

from __future__ import annotations

from functools import lru_cache
from math import gcd
from typing import TYPE_CHECKING

import torch.nn.functional as F
from torchaudio.transforms import Resample

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_ZEROS, _ROLLOFF, _BETA = 64, 0.9475937167399596, 14.769656459379492
"""Zero crossings of the sinc on either side, cutoff as a share of the lower Nyquist frequency, and
the Kaiser window's shape: those of resampy's `kaiser_best` (McFee 2016)."""

_MOST_PHASES = 640
"""Each phase has its own filter: above this number, filters need more memory than songs."""


def has_few_phases(in_rate_hz: int, out_rate_hz: int) -> bool:
    """Return whether the ratio of the rates is simple enough for `converted`."""
    return max(in_rate_hz, out_rate_hz) // gcd(in_rate_hz, out_rate_hz) <= _MOST_PHASES


def converted(samples: Tensor, in_rate_hz: int, out_rate_hz: int, length_samples: int) -> Tensor:
    """Return `(..., length_samples)` at another sample rate, without delay, padded with silence."""
    if in_rate_hz == out_rate_hz:
        made = samples
    else:
        made = _converter(in_rate_hz, out_rate_hz, samples.device)(samples)
    return F.pad(made, (0, max(0, length_samples - made.shape[-1])))[..., :length_samples]


@lru_cache(maxsize=32)
def _converter(in_rate_hz: int, out_rate_hz: int, device: torch.device) -> Resample:
    """Return filters, computed in float64 and uploaded once, since uploads block the host."""
    return Resample(
        in_rate_hz,
        out_rate_hz,
        "sinc_interp_kaiser",
        lowpass_filter_width=_ZEROS,
        rolloff=_ROLLOFF,
        beta=_BETA,
    ).to(device)
