"""Measurements of splices: steps in level, and clicks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from mashup_worker.mixing.measures.report import Measurement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from mashup_worker.audio.signal import Audio
    from mashup_worker.dsp.loudness import LoudnessCurve
    from mashup_worker.mixing.measures.attacks import Attacks

MAX_STEP_LU = 3.0

_ORDER = 32
_AROUND_S, _MIDDLE_S, _REACH_S = 0.05, 0.005, 0.002
_RINGING_S, _DECAY_S = 0.0008, 0.004
_MIN_SPIKE_RATIO = 8.0
_MIN_OVER_ATTACKS = 2.0
_COMPARED_ATTACKS = 64
_MIN_SPIKE = 5e-3
_NOISE_SHARE = 1e-6
_CHUNK = 64


def level_step(curve: LoudnessCurve, splices_s: Sequence[float]) -> Measurement:
    """Measure the largest change of short-term loudness (3 s) at splices: 3 LU at most.

    Splices within 3 s of the ends of the mix are excluded.
    """
    name, wanted = "level step at splices", f"<= {MAX_STEP_LU:g} LU"
    steps_lu = splice_steps_lu(curve, splices_s)
    if not steps_lu:
        return Measurement(name, None, "LU", wanted=wanted, detail="no splice away from the ends")
    worst_s = max(steps_lu, key=lambda at_s: abs(steps_lu[at_s]))
    value = abs(steps_lu[worst_s])
    detail = f"{steps_lu[worst_s]:+.1f} LU at {worst_s:.1f} s, largest of {len(steps_lu)}"
    return Measurement(name, value, "LU", wanted=wanted, passed=value <= MAX_STEP_LU, detail=detail)


def splice_steps_lu(curve: LoudnessCurve, splices_s: Sequence[float]) -> dict[float, float]:
    """Return the changes of short-term loudness by the time of their splice."""
    return {at_s: step for at_s in splices_s if (step := _step_lu(curve, at_s)) is not None}


def _step_lu(curve: LoudnessCurve, at_s: float) -> float | None:
    window_s = curve.window_s
    if not len(curve.ends_s) or not window_s <= at_s <= float(curve.ends_s[-1]) - window_s:
        return None
    first_s = float(curve.ends_s[0])
    before, after = (curve.lufs[round((end_s - first_s) * 10)] for end_s in (at_s, at_s + window_s))
    return float(after - before)


@dataclass(frozen=True, eq=False)
class SplicedAudio:
    """Stem or mix with splices that may click; residuals of its clear attacks resemble clicks."""

    audio: Audio
    splices_s: tuple[float, ...]
    attacks: Attacks


def find_clicks(sounds: Mapping[str, SplicedAudio]) -> tuple[tuple[str, float], ...]:
    """Return the splices that click, as the name of the sound and the time.

    A linear predictor of order 32 is fitted to the 50 ms on both sides of a splice, without the
    central 10 ms. A discontinuity leaves a spike of one or two samples in the residual within 2 ms
    of the splice, at least 8 times as high as the residual around and after it. A drum stroke
    leaves a residual that decays. Where strokes start as abruptly as a click, only spikes twice as
    high as the 90th percentile of the stem's own attacks count.
    """
    found = [(float(at_s), name) for name, sound in sounds.items() for at_s in _clicking_s(sound)]
    return tuple((name, at_s) for at_s, name in sorted(found))


def count_clicks(
    sounds: Mapping[str, SplicedAudio], found: Sequence[tuple[str, float]]
) -> Measurement:
    """Count the splices that click, as `find_clicks` returned them: none."""
    count = sum(len(sound.splices_s) for sound in sounds.values())
    if not count:
        return Measurement("clicks at splices", None, "", wanted="0", detail="no splices")
    places = ", ".join(f"{name} at {at_s:.2f} s" for name, at_s in found[:5])
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    detail = f"{places}{more}" if found else f"{count} edges tested"
    return Measurement(
        "clicks at splices", float(len(found)), "", wanted="0", passed=not found, detail=detail
    )


def _clicking_s(sound: SplicedAudio) -> list[float]:
    if not sound.splices_s or not sound.audio.length_samples:
        return []
    splices = torch.tensor(sound.splices_s, dtype=torch.float64)
    peaks, over = _spikes(sound.audio, splices)
    own = _own_spike(sound, splices)
    bound = max(_MIN_SPIKE, _MIN_OVER_ATTACKS * own)
    chosen = (over >= _MIN_SPIKE_RATIO) & (peaks >= bound)
    clicking: list[float] = splices[chosen].tolist()
    return clicking


def _own_spike(sound: SplicedAudio, splices_s: Tensor) -> float:
    """Return the 90th percentile of the spikes at the loudest attacks away from splices."""
    times = torch.from_numpy(sound.attacks.times_s)
    strengths = torch.from_numpy(sound.attacks.strengths)
    away = (times[:, None] - splices_s).abs().amin(dim=1) > _AROUND_S
    times, strengths = times[away], strengths[away]
    if not len(times):
        return 0.0
    loudest = times[strengths.argsort(descending=True)[:_COMPARED_ATTACKS]]
    return float(_spikes(sound.audio, loudest)[0].quantile(0.9))


def _spikes(audio: Audio, times_s: Tensor) -> tuple[Tensor, Tensor]:
    """Return the highest residual near each time, and its ratio to that around it; `(times,)`."""
    parts = [_channel_spikes(audio, some) for some in times_s.split(_CHUNK)]
    peaks, over = (torch.cat(row, dim=1) for row in zip(*parts, strict=True))
    channel = over.argmax(dim=0, keepdim=True)
    return peaks.gather(0, channel)[0].cpu(), over.gather(0, channel)[0].cpu()


def _channel_spikes(audio: Audio, times_s: Tensor) -> tuple[Tensor, Tensor]:
    sample_rate = audio.sample_rate
    around = max(4 * _ORDER, round(_AROUND_S * sample_rate))
    reach, middle = (max(2, round(part_s * sample_rate)) for part_s in (_REACH_S, _MIDDLE_S))
    center = (times_s * sample_rate).round().long().to(audio.samples.device)
    index = center[:, None] + torch.arange(-around, around + 1, device=center.device)
    inside = (index >= 0) & (index < audio.length_samples)
    pieces = audio.samples[:, index.clamp(0, audio.length_samples - 1)].double()
    pieces = pieces.where(inside, 0.0).flatten(0, 1)
    residual = _residual(pieces, middle).abs()
    near = residual[:, around - reach : around + reach + 1]
    peak, place = near.max(dim=1)
    beside = torch.cat([residual[:, : around - middle], residual[:, around + middle :]], dim=1)
    spread = 1.4826 * beside.median(dim=1).values
    level = torch.maximum(spread, _level_beside(residual, place + around - reach, sample_rate))
    over = peak / level.clamp_min(1e-9)
    shape = audio.channels, len(times_s)
    return peak.reshape(shape), over.reshape(shape)


def _level_beside(residual: Tensor, at: Tensor, sample_rate: int) -> Tensor:
    """Return the higher RMS of the residual just before and just after a spike."""
    gap, length = (max(2, round(part_s * sample_rate)) for part_s in (_RINGING_S, _DECAY_S))
    steps = torch.arange(gap, gap + length, device=at.device)
    sides = [
        residual.gather(1, at[:, None] + sign * steps).square().mean(dim=1) for sign in (1, -1)
    ]
    return torch.maximum(*sides).sqrt()


def _residual(pieces: Tensor, middle: int) -> Tensor:
    """Return the residual of a linear predictor fitted to both sides of each row; same shape."""
    half = pieces.shape[1] // 2
    before, after = pieces[:, : half - middle], pieces[:, half + middle :]
    correlation = _autocorrelation(before) + _autocorrelation(after)
    correlation[:, 0] = correlation[:, 0] * (1 + _NOISE_SHARE) + 1e-12
    lag = (torch.arange(_ORDER)[:, None] - torch.arange(_ORDER)).abs()
    taps = torch.linalg.solve(correlation[:, lag], correlation[:, 1:, None])[..., 0]
    kernel = torch.cat([-taps.flip(1), torch.ones_like(taps[:, :1])], dim=1)
    padded = F.pad(pieces, (_ORDER, 0))
    residual = F.conv1d(padded[None], kernel[:, None], groups=len(pieces))[0]
    # The first values lack the samples that predict them.
    residual[:, :_ORDER] = 0
    return residual


def _autocorrelation(side: Tensor) -> Tensor:
    windowed = side * torch.hann_window(side.shape[1], dtype=side.dtype, device=side.device)
    spectrum = torch.fft.rfft(windowed, n=2 * side.shape[1])
    correlation: Tensor = torch.fft.irfft(spectrum.abs().square())[:, : _ORDER + 1]
    return correlation
