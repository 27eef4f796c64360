"""Zero-phase filters whose response may vary over time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from mashup_worker.dsp.pieces import samples_at_once
from mashup_worker.dsp.stft import OverlapAdd, frame_count, stft

if TYPE_CHECKING:
    from collections.abc import Sequence


Response = Callable[[Tensor, Tensor], Tensor]
"""Gains of a filter at sample positions `(frames,)` and frequencies `(bins,)`: `(frames, bins)`, or
what broadcasts to it."""

_HOPS_A_WINDOW = 4
_ORDER = 4
"""Order of Butterworth responses: 24 dB per octave, as in the filters of DJ mixers."""


def filtered(
    samples: Tensor, sample_rate: int, responses: Sequence[Response], *, window_s: float = 0.046
) -> Tensor:
    """Apply all responses to a sound, `(channels, samples)` to the same.

    Spectra of overlapping frames are multiplied by the gains at their center, so phases are
    unchanged, and a gain of 1 returns the input. A short `window_s` suits fast changes, a long one
    narrow responses.
    """
    length = samples.shape[1]
    if not responses or not length:
        return samples
    size = 2 ** max(4, round(math.log2(window_s * sample_rate)))
    hop = size // _HOPS_A_WINDOW
    window = torch.hann_window(size, device=samples.device, dtype=samples.dtype)
    early = size - hop
    count = frame_count(length, size, hop)
    padded = F.pad(samples, (early, count * hop - length))
    hz = torch.arange(size // 2 + 1, device=samples.device) * (sample_rate / size)
    overlap = OverlapAdd(window, hop)
    done = []
    at_once = max(1, samples_at_once(samples.device) // hop)
    for first in range(0, count, at_once):
        last = min(first + at_once, count)
        spectra = stft(padded[:, first * hop : (last - 1) * hop + size], window, hop)
        at = torch.arange(first, last, device=samples.device) * hop + size // 2 - early
        for response in responses:
            spectra = spectra * response(at, hz).to(samples.dtype)
        done.append(overlap.push(spectra))
    return torch.cat(done, dim=1)[:, early : early + length]


def high_pass(hz: Tensor, cutoff_hz: Tensor | float) -> Tensor:
    """Magnitude of a Butterworth high-pass filter; -3 dB at the cutoff."""
    ratio = torch.as_tensor(cutoff_hz, device=hz.device) / hz.clamp_min(1e-3)
    return torch.rsqrt(1 + ratio ** (2 * _ORDER))


def low_pass(hz: Tensor, cutoff_hz: Tensor | float) -> Tensor:
    """Magnitude of a Butterworth low-pass filter; -3 dB at the cutoff."""
    ratio = hz / torch.as_tensor(cutoff_hz, device=hz.device)
    return torch.rsqrt(1 + ratio ** (2 * _ORDER))


def low_shelf(hz: Tensor, corner_hz: float, gain_db: Tensor | float) -> Tensor:
    """Gain below a corner frequency, with a transition to 1 above it."""
    gain = 10 ** (torch.as_tensor(gain_db, device=hz.device) / 20)
    return 1 + (gain - 1) * low_pass(hz, corner_hz)


def bell(hz: Tensor, low_hz: float, high_hz: float, gain_db: Tensor | float) -> Tensor:
    """Gain between two frequencies, half of it in dB half an octave outside them, then none."""
    width = 0.5
    octaves = torch.log2(hz.clamp_min(1e-3))
    outside = torch.maximum(math.log2(low_hz) - octaves, octaves - math.log2(high_hz))
    weight = 0.5 + 0.5 * torch.cos((outside / (2 * width)).clamp(0, 1) * math.pi)
    inside = weight > 0
    changes = 10 ** (torch.as_tensor(gain_db, device=hz.device) * weight[inside] / 20)
    gains = changes.new_ones(*changes.shape[:-1], len(hz))
    gains[..., inside] = changes
    return gains
