"""Measurements of loudness, peaks, clipping and silence of a mix."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from mashup_worker.dsp.loudness import LoudnessMeter
from mashup_worker.dsp.pieces import pieces
from mashup_worker.dsp.running_sums import sums_before
from mashup_worker.dsp.true_peak import TruePeakMeter
from mashup_worker.mixing.measures.report import Measurement
from mashup_worker.vocabulary import DEFAULT_TRUE_PEAK_DBTP

if TYPE_CHECKING:
    from torch import Tensor

    from mashup_worker.audio.signal import Audio
    from mashup_worker.dsp.loudness import LoudnessCurve

LOSSLESS_TOLERANCE_LU, LOSSY_TOLERANCE_LU = 0.1, 0.5
CLIPPED_LEVEL, MIN_CLIPPED_SAMPLES = 0.999, 3
MAX_SILENCE_S = 0.5
LOUDNESS = "integrated loudness"

_SILENCE_DBFS, _SILENCE_BELOW_LOUDNESS_DB = -50.0, -30.0
_STEPS_PER_SECOND, _WINDOW_STEPS = 100, 10
_ROUNDING_DB = 0.005
"""Tolerance of values that are displayed with two decimals."""


@dataclass(frozen=True, eq=False)
class MixLevels:
    """Loudness and peaks of a mix; None where undefined, as in `dsp.loudness.Loudness`.

    `mono_lufs` is the loudness where both loudspeakers play the mean of the channels.
    """

    integrated_lufs: float | None
    range_lu: float | None
    true_peak_dbtp: float | None
    short_term: LoudnessCurve
    mono_lufs: float | None


def measure_levels(mix: Audio) -> MixLevels:
    """Measure the levels of a mix of one or two channels in one pass."""
    meter = LoudnessMeter(mix.sample_rate, mix.channels)
    peaks, mono = TruePeakMeter(mix.sample_rate), LoudnessMeter(mix.sample_rate, mix.channels)
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


def integrated_loudness(
    levels: MixLevels, target_lufs: float | None, *, lossy: bool
) -> Measurement:
    """Judge integrated loudness (ITU-R BS.1770-5): within 0.1 LU of a target, 0.5 LU if lossy."""
    found = levels.integrated_lufs
    if target_lufs is None:
        return Measurement(LOUDNESS, found, "LUFS")
    tolerance_lu = LOSSY_TOLERANCE_LU if lossy else LOSSLESS_TOLERANCE_LU
    wanted = f"{target_lufs:g} ± {tolerance_lu:g}"
    passed = found is not None and abs(found - target_lufs) <= tolerance_lu + _ROUNDING_DB
    return Measurement(LOUDNESS, found, "LUFS", wanted=wanted, passed=passed)


def loudness_range(levels: MixLevels) -> Measurement:
    """Return the loudness range (EBU Tech 3342), without a limit since it depends on style."""
    return Measurement("loudness range", levels.range_lu, "LU")


def true_peak(levels: MixLevels, max_dbtp: float | None = None) -> Measurement:
    """Judge the true peak (ITU-R BS.1770-5): -1 dBTP or `max_dbtp` at most; silence passes."""
    found = levels.true_peak_dbtp
    limit_dbtp = DEFAULT_TRUE_PEAK_DBTP if max_dbtp is None else max_dbtp
    passed = found is None or found <= limit_dbtp + _ROUNDING_DB
    return Measurement("true peak", found, "dBTP", wanted=f"<= {limit_dbtp:g} dBTP", passed=passed)


def clipped_run(mix: Audio) -> Measurement:
    """Measure the longest run of samples at 0.999 of full scale in a channel: below 3.

    A peak that touches full scale has one or two such samples; a clipped waveform has more.
    """
    longest, at_s, count = 0, 0.0, 0
    for channel in mix.samples:
        high = torch.nonzero(channel.abs() >= CLIPPED_LEVEL)[:, 0].cpu()
        count += len(high)
        start, length = _longest_run(high)
        if length > longest:
            longest, at_s = length, start / mix.sample_rate
    detail = f"at {at_s:.2f} s; {count} in all" if longest else ""
    name, wanted = "clipped samples in a row", f"< {MIN_CLIPPED_SAMPLES}"
    return Measurement(
        name, float(longest), "", wanted=wanted, passed=longest < MIN_CLIPPED_SAMPLES, detail=detail
    )


def longest_silence(mix: Audio, integrated_lufs: float | None) -> Measurement:
    """Measure the longest silence inside a mix: below 0.5 s, which is longer than most rests.

    Silence is an RMS below -50 dBFS over 100 ms of all channels, and in quiet mixes 30 dB below the
    integrated loudness.
    """
    name, wanted = "longest silence", f"< {MAX_SILENCE_S:g} s"
    floor_db = min(_SILENCE_DBFS, (integrated_lufs or 0.0) + _SILENCE_BELOW_LOUDNESS_DB)
    power = _window_powers(mix)
    audible = torch.nonzero(power > 10 ** (floor_db / 10))[:, 0]
    if len(audible) < 2:
        return Measurement(name, None, "s", wanted=wanted, detail="no sound around it")
    steps = audible.diff()
    index = int(steps.argmax())
    # Silence is longer than the gap between audible windows, since these overlap it.
    silent_steps = int(steps[index]) - 1 + (_WINDOW_STEPS - 1)
    length_s = silent_steps / _STEPS_PER_SECOND if steps[index] > 1 else 0.0
    at_s = (int(audible[index]) + 1) / _STEPS_PER_SECOND
    detail = f"at {at_s:.1f} s" if length_s else ""
    return Measurement(
        name, length_s, "s", wanted=wanted, passed=length_s < MAX_SILENCE_S, detail=detail
    )


def _window_powers(mix: Audio) -> Tensor:
    """Return the mean square of windows of 100 ms, every 10 ms; float64, on the CPU."""
    squares = (piece.square().mean(dim=0) for piece in pieces(mix.samples))
    steps = math.floor(mix.duration_s * _STEPS_PER_SECOND)
    edges = (torch.arange(steps + 1) * mix.sample_rate / _STEPS_PER_SECOND).long()
    bounds = sums_before(squares, edges.clamp_max(mix.length_samples))
    if steps < _WINDOW_STEPS:
        return torch.zeros(0, dtype=torch.float64)
    energies = bounds[_WINDOW_STEPS:] - bounds[:-_WINDOW_STEPS]
    return energies * _STEPS_PER_SECOND / _WINDOW_STEPS / mix.sample_rate


def _longest_run(positions: Tensor) -> tuple[int, int]:
    if not len(positions):
        return 0, 0
    starts = torch.cat([torch.tensor([True]), positions.diff() > 1])
    lengths = torch.bincount(starts.cumsum(0) - 1)
    longest = int(lengths.argmax())
    return int(positions[starts][longest]), int(lengths[longest])
