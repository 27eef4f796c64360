"""How loud a mashup is, how high its peaks are, and whether it ever falls silent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from mashup_worker.dsp.kweighting import pieces
from mashup_worker.dsp.loudness import LoudnessMeter
from mashup_worker.dsp.true_peak import TruePeakMeter
from mashup_worker.mixing.measures.report import Measurement

if TYPE_CHECKING:
    from torch import Tensor

    from mashup_worker.audio.signal import Audio
    from mashup_worker.dsp.loudness import LoudnessCurve

LOSSLESS_LU, LOSSY_LU = 0.1, 0.5
MOST_TRUE_PEAK_DBTP = -1.0
FULL_SCALE, FEWEST_CLIPPED = 0.999, 3
LONGEST_GAP_S = 0.5

_GAP_DBFS, _GAP_BELOW_LOUDNESS_DB = -50.0, -30.0
_GAP_STEPS_PER_SECOND, _GAP_WINDOW_STEPS = 100, 10
_READING_ERROR_DB = 0.005
"""Figures are compared as they are shown, with two decimals."""


@dataclass(frozen=True, eq=False)
class MixLevels:
    """What the meters say of a mix; None as in `dsp.loudness.Loudness`.

    Attributes:
        integrated_lufs: loudness of the whole.
        range_lu: loudness range.
        true_peak_dbtp: true peak.
        short_term: loudness of each 3 s.
        mono_lufs: loudness of the whole when both loudspeakers play the mean of the channels.
    """

    integrated_lufs: float | None
    range_lu: float | None
    true_peak_dbtp: float | None
    short_term: LoudnessCurve
    mono_lufs: float | None


def measure_levels(mix: Audio) -> MixLevels:
    """Run all meters over a mix of one or two channels, once."""
    meter = LoudnessMeter(mix.rate_hz, mix.channels)
    peaks, mono = TruePeakMeter(mix.rate_hz), LoudnessMeter(mix.rate_hz, mix.channels)
    for piece in pieces(mix.samples):
        meter.add(piece)
        peaks.add(piece)
        if mix.channels == 2:
            mono.add(piece.mean(dim=0, keepdim=True).expand(2, -1))
    integrated = meter.integrated_lufs()
    return MixLevels(
        integrated_lufs=integrated,
        range_lu=meter.loudness_range_lu(),
        true_peak_dbtp=peaks.true_peak_dbtp(),
        short_term=meter.short_term_lufs(),
        mono_lufs=mono.integrated_lufs() if mix.channels == 2 else integrated,
    )


def loudness(levels: MixLevels, target_lufs: float | None, lossy: bool) -> Measurement:
    """Integrated loudness by ITU-R BS.1770-5, within 0.1 LU of the target, 0.5 LU after a codec."""
    found, within_lu = levels.integrated_lufs, LOSSY_LU if lossy else LOSSLESS_LU
    if target_lufs is None:
        return Measurement("integrated loudness", found, "LUFS")
    wanted = f"{target_lufs:g} ± {within_lu:g}"
    near = found is not None and abs(found - target_lufs) <= within_lu + _READING_ERROR_DB
    return Measurement("integrated loudness", found, "LUFS", wanted, near)


def loudness_range(levels: MixLevels) -> Measurement:
    """Loudness range by EBU Tech 3342; told, since every style has its own."""
    return Measurement("loudness range", levels.range_lu, "LU")


def true_peak(levels: MixLevels, most_dbtp: float | None = None) -> Measurement:
    """True peak by ITU-R BS.1770-5: -1 dBTP or what was asked for; silence has none and is fine."""
    found, most_dbtp = (
        levels.true_peak_dbtp,
        MOST_TRUE_PEAK_DBTP if most_dbtp is None else most_dbtp,
    )
    passed = found is None or found <= most_dbtp + _READING_ERROR_DB
    return Measurement("true peak", found, "dBTP", f"<= {most_dbtp:g} dBTP", passed)


def clipped_run(mix: Audio) -> Measurement:
    """The longest run of samples at 0.999 of full scale or above in a channel: below 3.

    A peak that just touches full scale has one or two such samples; a waveform that was cut off has
    a row of them.
    """
    longest, at_s, count = 0, 0.0, 0
    for channel in mix.samples:
        high = torch.nonzero(channel.abs() >= FULL_SCALE)[:, 0].cpu()
        count += len(high)
        start, length = _longest_run(high)
        if length > longest:
            longest, at_s = length, start / mix.rate_hz
    detail = f"at {at_s:.2f} s; {count} in all" if longest else ""
    passed = longest < FEWEST_CLIPPED
    return Measurement(
        "clipped samples in a row", float(longest), "", f"< {FEWEST_CLIPPED}", passed, detail
    )


def gap(mix: Audio, integrated_lufs: float | None) -> Measurement:
    """The longest silence between sounding parts: shorter than 0.5 s, longer than most rests.

    Silence is what stays below -50 dBFS (root mean square over 100 ms, all channels together), and
    30 dB below the integrated loudness of quiet sounds.
    """
    wanted = f"< {LONGEST_GAP_S:g} s"
    floor_db = min(_GAP_DBFS, (integrated_lufs or 0.0) + _GAP_BELOW_LOUDNESS_DB)
    power = _window_powers(mix)
    sounding = torch.nonzero(power > 10 ** (floor_db / 10))[:, 0]
    if len(sounding) < 2:
        return Measurement("longest silence", None, "s", wanted, detail="no sound around it")
    away = sounding.diff()
    index = int(away.argmax())
    # The windows between the two that sound overlap: the last of them begins that much later.
    silent_steps = int(away[index]) - 1 + (_GAP_WINDOW_STEPS - 1)
    length_s = silent_steps / _GAP_STEPS_PER_SECOND if away[index] > 1 else 0.0
    at_s = (int(sounding[index]) + 1) / _GAP_STEPS_PER_SECOND
    detail = f"at {at_s:.1f} s" if length_s else ""
    return Measurement("longest silence", length_s, "s", wanted, length_s < LONGEST_GAP_S, detail)


def _window_powers(mix: Audio) -> Tensor:
    """Mean square of each 100 ms, every 10 ms; float64, on the CPU."""
    sums = [torch.zeros(1, dtype=torch.float64)]
    for piece in pieces(mix.samples):
        squares = piece.square().mean(dim=0).cumsum(0, dtype=torch.float64)
        sums.append(sums[-1][-1] + squares.cpu())
    total = torch.cat(sums)
    steps = math.floor(mix.duration_s * _GAP_STEPS_PER_SECOND)
    edges = (torch.arange(steps + 1) * mix.rate_hz / _GAP_STEPS_PER_SECOND).long()
    bounds = total[edges.clamp_max(mix.length_samples)]
    if steps < _GAP_WINDOW_STEPS:
        return torch.zeros(0, dtype=torch.float64)
    energies = bounds[_GAP_WINDOW_STEPS:] - bounds[:-_GAP_WINDOW_STEPS]
    return energies * _GAP_STEPS_PER_SECOND / _GAP_WINDOW_STEPS / mix.rate_hz


def _longest_run(positions: Tensor) -> tuple[int, int]:
    """Start and length of the longest run of neighbours among rising positions."""
    if not len(positions):
        return 0, 0
    starts = torch.cat([torch.tensor([True]), positions.diff() > 1])
    lengths = torch.bincount(starts.cumsum(0) - 1)
    longest = int(lengths.argmax())
    return int(positions[starts][longest]), int(lengths[longest])
