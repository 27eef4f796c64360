"""Detection of clear attacks, to the millisecond.

Candidates are local maxima of the ratio of the energy in the next 10 ms to that in the last 20 ms.
Around each, the attack begins at the split of a window that minimizes the Akaike information
criterion of two stationary halves, after N. Maeda, "A method for reading and checking phase times
in auto-processing system of seismic wave data", Zisin 38 (1985). Unlike the peak of an onset curve
this time hardly depends on window lengths or on the rise time of the sound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from mashup_worker.analysis.arrays import Array
    from mashup_worker.audio.signal import Audio

_STEPS_PER_SECOND = 4_000
_PIECE_STEPS = 1 << 13
_PRE_EMPHASIS = 0.95
_BEFORE_STEPS, _AFTER_STEPS = 80, 40
_MIN_DISTANCE_STEPS = 200
"""Of candidates within 50 ms the clearest counts, so that a flam or a clap is one attack."""

_WINDOW_STEPS = 100, 60
_MIN_RISE_DB = 9.0
_BELOW_LOUD_DB = -30.0
_PRE_ECHO_BELOW_DB = -20.0
"""Level below an attack that hides the pre-echoes of codecs and time-stretching."""

_SILENCE = 1e-12


@dataclass(frozen=True, eq=False)
class Attacks:
    """Attacks of a stem in ascending order, and the increases of amplitude; both `(attacks,)`."""

    times_s: Array
    strengths: Array

    def __len__(self) -> int:
        return len(self.times_s)

    @property
    def strong(self) -> Attacks:
        """The stronger half."""
        if not len(self):
            return self
        return self.where(self.strengths >= np.median(self.strengths))

    def where(self, chosen: NDArray[np.bool_]) -> Attacks:
        """Return the attacks that a mask selects."""
        return Attacks(self.times_s[chosen], self.strengths[chosen])

    @staticmethod
    def none() -> Attacks:
        """Return an empty list of attacks."""
        return Attacks(np.zeros(0), np.zeros(0))


def find_attacks(audio: Audio) -> Attacks:
    """Find the clear attacks of audio with any number of channels."""
    from scipy.ndimage import maximum_filter1d  # half a second that most commands do not need

    energies = _energies(audio)
    sums = F.pad(energies.cumsum(0), (1, 0))
    steps = len(energies)
    if steps <= _BEFORE_STEPS + _AFTER_STEPS:
        return Attacks.none()
    # Silence before the first sample allows for an attack on it.
    sums = torch.cat([sums.new_zeros(_WINDOW_STEPS[0]), sums, sums[-1:].expand(_WINDOW_STEPS[1])])
    at = torch.arange(steps - _AFTER_STEPS) + _WINDOW_STEPS[0]
    after = (sums[at + _AFTER_STEPS] - sums[at]) / _AFTER_STEPS
    before = (sums[at] - sums[at - _BEFORE_STEPS]) / _BEFORE_STEPS
    if float(after.max()) <= _SILENCE:
        return Attacks.none()
    loud = np.quantile(after[after > _SILENCE].numpy(), 0.95)
    floor = float(loud) * 10 ** (_BELOW_LOUD_DB / 10)
    rise = (after + 0.1 * floor) / (before + 0.1 * floor)
    highest = torch.from_numpy(maximum_filter1d(rise.numpy(), _MIN_DISTANCE_STEPS + 1))
    is_attack = (rise == highest) & (rise > 10 ** (_MIN_RISE_DB / 10)) & (after > floor)
    found = torch.nonzero(is_attack)[:, 0]
    starts = _refine(sums, found + _WINDOW_STEPS[0]) - _WINDOW_STEPS[0]
    growth = (after - before)[found].clamp_min(0).sqrt()
    return Attacks(
        starts.numpy() * _step_samples(audio.sample_rate) / audio.sample_rate, growth.numpy()
    )


def _energies(audio: Audio) -> Tensor:
    """Return the energy of each step after pre-emphasis; float64, on the CPU."""
    size = _step_samples(audio.sample_rate)
    last = audio.samples.new_zeros(audio.channels, 1)
    energies = []
    for piece in audio.samples.split(_PIECE_STEPS * size, dim=1):
        emphasized = piece.clone()
        emphasized[:, :1].sub_(last, alpha=_PRE_EMPHASIS)
        emphasized[:, 1:].sub_(piece[:, :-1], alpha=_PRE_EMPHASIS)
        whole = piece.shape[1] - piece.shape[1] % size
        energies.append(emphasized[:, :whole].square_().unflatten(1, (-1, size)).sum(dim=(0, 2)))
        last = piece[:, -1:]
    return torch.cat(energies).double().cpu() if energies else torch.zeros(0, dtype=torch.float64)


def _step_samples(sample_rate: int) -> int:
    """Return the samples of a step of about 0.25 ms."""
    return max(1, round(sample_rate / _STEPS_PER_SECOND))


def _refine(sums: Tensor, around: Tensor) -> Tensor:
    """Return the step, of those around each candidate, at which an attack most likely begins."""
    back, ahead = _WINDOW_STEPS
    size = back + ahead
    first = around - back
    window = sums[first[:, None] + torch.arange(size + 1)]
    split = torch.arange(1, size)
    left = (window[:, 1:-1] - window[:, :1]) / split
    right = (window[:, -1:] - window[:, 1:-1]) / (size - split)
    floor = (sums[around + _AFTER_STEPS] - sums[around]) / _AFTER_STEPS
    floor = (floor * 10 ** (_PRE_ECHO_BELOW_DB / 10))[:, None] + _SILENCE
    criterion = split * (left + floor).log() + (size - split) * (right + floor).log()
    criterion = criterion.masked_fill(right <= left, torch.inf)
    return first + split[criterion.argmin(dim=1)]
