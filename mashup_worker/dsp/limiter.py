"""Look-ahead true-peak limiter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from mashup_worker.audio.signal import Audio, spans
from mashup_worker.dsp.envelope import at_samples, released, smoothed, step_samples
from mashup_worker.dsp.true_peak import peaks_near, true_peak_dbtp

if TYPE_CHECKING:
    from torch import Tensor

_LOOKAHEAD_S = 0.005
_RELEASE_DB_PER_S = 100.0
_ROUNDS = 4
_OVERSHOOT_DB = 0.02
"""A gain that changes between samples raises the peaks between them by at most this."""

_DEEPEST_DB = 30.0
"""Peaks this far below the highest are not oversampled."""

_CONTEXT_SAMPLES = 64
"""More samples than an interpolated value depends on."""


@dataclass(frozen=True, eq=False)
class Limited:
    """Limited sound, and the gain reduction at its highest peak."""

    audio: Audio
    most_reduction_db: float


class PeakLimiter:
    """Limiter for one sound, which may be tried with several gains.

    One gain applies to all channels and follows true peaks. It falls before a peak and rises
    linearly in decibels after it. The reduction is a running maximum, smoothed over less than its
    width, so it never falls short of what a peak needs.
    """

    def __init__(self, audio: Audio) -> None:
        self._audio = audio
        step = step_samples(audio.sample_rate)
        peaks = _peaks(audio)
        steps = -(-len(peaks) // step)
        self._highest = F.pad(peaks, (0, steps * step - len(peaks))).view(steps, step).amax(1)

    def limited(self, gain_db: float, ceiling_dbtp: float) -> Limited:
        """Amplify and limit; true peaks may exceed the ceiling by some thousandths of a dB."""
        audio = self._audio
        reduction = self.reduction_db(gain_db, ceiling_dbtp - _OVERSHOOT_DB)
        if not len(reduction):
            return Limited(audio, 0.0)
        step = step_samples(audio.sample_rate)
        curve = at_samples(gain_db - reduction, step, audio.length_samples)
        gained = audio.samples * 10 ** curve.div_(20)
        return Limited(Audio(gained, audio.sample_rate), float(reduction.max()))

    def reduction_db(self, gain_db: float, ceiling_dbtp: float) -> Tensor:
        """Return the gain reduction of each envelope step, shape `(steps,)`."""
        if not len(self._highest):
            return self._highest
        audio = self._audio
        steps_per_second = audio.sample_rate / step_samples(audio.sample_rate)
        level = 20 * torch.log10(self._highest.clamp_min(1e-9)) + gain_db
        held = released((level - ceiling_dbtp).clamp_min(0.0), _RELEASE_DB_PER_S / steps_per_second)
        reach = math.ceil(_LOOKAHEAD_S * steps_per_second / 2)
        # One step more than the smoothing reaches, because gains are interpolated between steps.
        around = F.max_pool1d(held[None], 2 * (reach + 1) + 1, 1, reach + 1)[0]
        return smoothed(around, 2 * reach)


def limit(audio: Audio, ceiling_dbtp: float, gain_db: float = 0.0) -> Limited:
    """Amplify, and keep true peaks at or below a ceiling; lower sound is only amplified."""
    limiter, aim = PeakLimiter(audio), ceiling_dbtp
    done = limiter.limited(gain_db, aim)
    for _ in range(_ROUNDS):
        peak_dbtp = true_peak_dbtp(done.audio)
        if peak_dbtp is None or peak_dbtp <= ceiling_dbtp:
            break
        aim -= peak_dbtp - ceiling_dbtp
        done = limiter.limited(gain_db, aim)
    return done


def _peaks(audio: Audio) -> Tensor:
    """Return true peaks around samples, in pieces, since oversampled audio needs much memory."""
    if not audio.length_samples:
        return audio.samples.new_empty(0)
    above = float(audio.samples.abs().max()) * 10 ** (-_DEEPEST_DB / 20)
    found = []
    for start, stop in spans(audio):
        first = max(0, start - _CONTEXT_SAMPLES)
        last = min(audio.length_samples, stop + _CONTEXT_SAMPLES)
        near = peaks_near(audio.read(first, last), audio.sample_rate, above)
        found.append(near[start - first : stop - first])
    return torch.cat(found)
