"""Removal of DC offsets, which occupy headroom and are inaudible.

The offset is a running mean, so subtracting it is a linear-phase high-pass filter: R. Yates and
R. Lyons, "DC Blocker Algorithms", IEEE Signal Processing Magazine 25(2), 2008. A Hann window takes
the place of their cascaded averages: its side lobes leave 0.03 % of a tone of 10 Hz in the mean.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.envelope import at_samples, smoothed, step_samples

_WINDOW_S = 1.0
_SHORTEST_S = 0.4
"""In shorter sounds an offset cannot be distinguished from bass."""

_LEAST_SHARE = 0.01
"""Least offset, relative to the peak, that is removed: a twelfth of a decibel of headroom. Running
means of music without an offset reach a third of it."""

_NEAR_S = 0.025
"""Half the period of the lowest audible tones."""


def without_offset(audio: Audio) -> Audio:
    """Subtract the offset of each channel that has one; other channels stay as they are.

    The offset may change over time, within about a second. It is limited to what the waveform
    reaches nearby: silence before, between and after the sound stays silent, and a sound that fades
    out ends at 0.
    """
    samples, step = audio.samples, step_samples(audio.sample_rate)
    if audio.length_samples < _SHORTEST_S * audio.sample_rate:
        return audio
    steps = audio.length_samples // step
    cells = samples[:, : steps * step].reshape(audio.channels, steps, step)
    steps_per_second = audio.sample_rate / step
    means = _running_mean(cells.mean(2), min(steps, round(_WINDOW_S * steps_per_second)))
    peaks = torch.maximum(samples.amax(1), -samples.amin(1))  # without a copy of magnitudes
    shares = means.abs().amax(1) / peaks.clamp_min(torch.finfo(means.dtype).tiny)
    if not (shares >= _LEAST_SHARE).any():
        return audio
    near = round(_NEAR_S * steps_per_second)
    low = -_highest_near(-cells.amin(2), near)
    offsets = means.clamp(low.clamp_max(0), _highest_near(cells.amax(2), near).clamp_min(0))
    cleaned = samples.clone()
    for channel in (shares >= _LEAST_SHARE).nonzero()[:, 0].tolist():
        curve = F.pad(smoothed(offsets[channel], 2 * near)[None], (0, 1), mode="replicate")[0]
        cleaned[channel] -= at_samples(curve, step, audio.length_samples)
    return Audio(cleaned, audio.sample_rate)


def _running_mean(values: Tensor, size: int) -> Tensor:
    """Return the weighted mean around each value; the first and last whole window extend the ends.

    Shape: `(channels, steps)` to the same.
    """
    size -= 1 - size % 2
    window = torch.hann_window(size + 2, periodic=False, dtype=values.dtype, device=values.device)
    length = values.shape[1]
    # With a thousand weights, Fourier transforms take a tenth of the time of products.
    fast = 1 << (length + size).bit_length()
    spectra = [torch.fft.rfft(one.double(), n=fast) for one in (values, window[1:-1])]
    sums = torch.fft.irfft(spectra[0] * spectra[1], n=fast)[:, size - 1 : length]
    means = (sums / window.sum(dtype=torch.float64)).to(values.dtype)
    return F.pad(means, (size // 2, length - size // 2 - means.shape[1]), "replicate")


def _highest_near(values: Tensor, reach: int) -> Tensor:
    """Return the maximum around each value, over less than `reach` near the ends.

    Shape: `(channels, steps)` to the same.
    """
    highest = F.max_pool1d(values, 2 * reach + 1, 1, reach)
    first = _highest_at_start(values, reach)
    last = _highest_at_start(values.flip(1), reach).flip(1)
    return torch.cat([first, highest[:, reach:-reach], last], dim=1)


def _highest_at_start(values: Tensor, reach: int) -> Tensor:
    """Return the maximum around each of the first `reach` values, up to the start or a fifth."""
    so_far = values[:, : 2 * reach].cummax(1).values
    return so_far[:, ::2].maximum(so_far[:, reach // 5, None])
