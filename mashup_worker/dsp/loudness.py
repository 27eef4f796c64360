"""Loudness by ITU-R BS.1770-5 and EBU Tech 3341 and 3342, for streams."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from mashup_worker.dsp.kweighting import LOWEST_RATE_HZ, KWeighting
from mashup_worker.dsp.pieces import pieces
from mashup_worker.dsp.true_peak import TruePeakMeter

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from mashup_worker.audio.signal import Audio

SILENCE_LUFS = -120.0
"""Value of loudness curves for silence and anything fainter."""

_STEPS_PER_SECOND = 10
_MOMENTARY_STEPS = 4
_SHORT_TERM_STEPS = 30
"""Momentary loudness is that of 400 ms, which are the gating blocks too, and short-term loudness
that of 3 s; both are evaluated every 100 ms."""

_ABSOLUTE_GATE_LUFS = -70.0
_RELATIVE_GATE_LU = -10.0
_RANGE_GATE_LU = -20.0
_RANGE_PERCENT = 10, 95
_OFFSET_DB = -0.691
"""Makes a 997 Hz sine at full scale in one channel read -3.01 LUFS."""

_HIGHEST_SQUARE = 1e30
"""Samples of float files may be so high that their squares overflow float32."""


@dataclass(frozen=True, eq=False)
class LoudnessCurve:
    """Loudness of windows, every 100 ms, `SILENCE_LUFS` or more; float64, `(windows,)`."""

    ends_s: Tensor
    lufs: Tensor
    window_s: float

    @property
    def max_lufs(self) -> float | None:
        """Loudness of the loudest window; None without windows and for silence."""
        highest = float(self.lufs.max()) if len(self.lufs) else SILENCE_LUFS
        return highest if highest > SILENCE_LUFS else None


@dataclass(frozen=True, kw_only=True)
class Loudness:
    """Measurements of a whole sound; None where a value is undefined.

    All values are None for silence. Below 3,364 Hz only the true peak can be measured. Loudness and
    its momentary maximum need 400 ms, the range (EBU Tech 3342) and short-term maximum 3 s. Gates
    lie at -70 LUFS, for the maxima at -120 LUFS.
    """

    integrated_lufs: float | None
    range_lu: float | None
    true_peak_dbtp: float | None
    momentary_max_lufs: float | None
    short_term_max_lufs: float | None


class LoudnessMeter:
    """Loudness meter for a stream, on the device of its samples.

    Memory grows by 8 bytes per 100 ms, and by less than 1 kB per call that completes some. Below
    3,364 Hz K-weighting is undefined, and loudness is None.

    Raises:
        ValueError: the number of channels is not 1 or 2.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        if channels not in (1, 2):
            raise ValueError(f"{channels} channels; loudness is measured of 1 or 2")
        self._sample_rate = sample_rate
        self._weighting = KWeighting(sample_rate) if sample_rate >= LOWEST_RATE_HZ else None
        self._taken = 0
        self._step_energies: list[Tensor] = []
        self._open_energy: Tensor | None = None

    def add(self, samples: Tensor) -> None:
        """Add the next samples, shape `(channels, samples)`, full scale ±1, all finite."""
        if self._weighting is None:
            return
        for piece in pieces(samples):
            squares = self._weighting.push(piece).square().sum(dim=0)
            self._add_energies(squares.clamp_(max=_HIGHEST_SQUARE))

    def move(self, copy: Callable[[Tensor], Tensor]) -> None:
        """Replace the measurements by copies, such as copies on the host; no samples can follow."""
        if self._step_energies:
            self._step_energies = [copy(torch.cat(self._step_energies))]

    def integrated_lufs(self) -> float | None:
        """Return the loudness so far; None below 400 ms, for silence, and at too low rates."""
        powers = self._powers(_MOMENTARY_STEPS)
        powers = powers[powers > _power(_ABSOLUTE_GATE_LUFS)]
        if not len(powers):
            return None
        loud = powers[powers > _below(powers.mean(), _RELATIVE_GATE_LU)]
        return float(_lufs(loud.mean()))

    def ungated_lufs(self) -> float | None:
        """Return the loudness of all 400 ms without gates; None as for `integrated_lufs`.

        Sound below -70 LUFS has such a loudness, down to -120 LUFS, which counts as silence.
        """
        powers = self._powers(_MOMENTARY_STEPS)
        if not len(powers) or powers.mean() <= _power(SILENCE_LUFS):
            return None
        return float(_lufs(powers.mean()))

    def loudness_range_lu(self) -> float | None:
        """Return the loudness range so far; None below 3 s, for silence, and at too low rates."""
        powers = self._powers(_SHORT_TERM_STEPS)
        powers = powers[powers >= _power(_ABSOLUTE_GATE_LUFS)]
        if not len(powers):
            return None
        powers = powers[powers >= _below(powers.mean(), _RANGE_GATE_LU)].sort().values
        low, high = (powers[((len(powers) - 1) * p + 50) // 100] for p in _RANGE_PERCENT)
        return float(_lufs(high) - _lufs(low))

    def momentary_lufs(self) -> LoudnessCurve:
        """Return the loudness of each 400 ms; empty before the first."""
        return self._curve(_MOMENTARY_STEPS)

    def short_term_lufs(self) -> LoudnessCurve:
        """Return the loudness of each 3 s; empty before the first."""
        return self._curve(_SHORT_TERM_STEPS)

    def _add_energies(self, squares: Tensor) -> None:
        if not len(squares):
            return
        start, end = self._taken, self._taken + len(squares)
        # Step k ends at k tenths of a second, rounded up to whole samples.
        first, last = (n * _STEPS_PER_SECOND // self._sample_rate + 1 for n in (start, end))
        steps = torch.arange(first, last, device=squares.device)
        ends = (steps * self._sample_rate + _STEPS_PER_SECOND - 1) // _STEPS_PER_SECOND - start
        sums = squares.cumsum(0, dtype=torch.float64)
        before = -sums.new_zeros(1) if self._open_energy is None else -self._open_energy
        bounds = torch.cat([before, sums[ends - 1]])
        if len(steps):
            self._step_energies.append(bounds.diff())
        self._open_energy = sums[-1:] - bounds[-1:]
        self._taken = end

    def _powers(self, steps: int) -> Tensor:
        """Return the mean square of each window of steps, summed over channels, on the CPU."""
        energies = torch.cat(self._step_energies).cpu() if self._step_energies else torch.empty(0)
        if len(energies) < steps:
            return torch.empty(0, dtype=torch.float64)
        windows: Tensor = energies.unfold(0, steps, 1)
        return windows.sum(dim=1) / (steps * self._sample_rate / _STEPS_PER_SECOND)

    def _curve(self, steps: int) -> LoudnessCurve:
        powers = self._powers(steps)
        ends = torch.arange(steps, steps + len(powers), dtype=torch.float64) / _STEPS_PER_SECOND
        lufs = _lufs(powers.clamp(min=_power(SILENCE_LUFS)))
        return LoudnessCurve(ends, lufs, steps / _STEPS_PER_SECOND)


def measure(audio: Audio) -> Loudness:
    """Measure loudness and true peak of mono or stereo audio in one pass.

    Raises:
        ValueError: the number of channels is not 1 or 2.
    """
    meter, peaks = (
        LoudnessMeter(audio.sample_rate, audio.channels),
        TruePeakMeter(audio.sample_rate),
    )
    for piece in pieces(audio.samples):
        meter.add(piece)
        peaks.add(piece)
    return Loudness(
        integrated_lufs=meter.integrated_lufs(),
        range_lu=meter.loudness_range_lu(),
        true_peak_dbtp=peaks.true_peak_dbtp(),
        momentary_max_lufs=meter.momentary_lufs().max_lufs,
        short_term_max_lufs=meter.short_term_lufs().max_lufs,
    )


def integrated_lufs(audio: Audio) -> float | None:
    """Integrated loudness of sound in memory, as `LoudnessMeter` measures it."""
    return _meter(audio).integrated_lufs()


def ungated_lufs(audio: Audio) -> float | None:
    """Loudness of sound in memory without gates, as `LoudnessMeter` measures it."""
    return _meter(audio).ungated_lufs()


def _meter(audio: Audio) -> LoudnessMeter:
    meter = LoudnessMeter(audio.sample_rate, audio.channels)
    meter.add(audio.samples)
    return meter


def _lufs(power: Tensor) -> Tensor:
    return _OFFSET_DB + 10 * power.log10()


def _power(loudness_lufs: float) -> float:
    return math.pow(10, (loudness_lufs - _OFFSET_DB) / 10)


def _below(power: Tensor, gate_lu: float) -> Tensor:
    return power * math.pow(10, gate_lu / 10)
