"""Whether the places where clips meet are heard: steps in level, and clicks."""

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

MOST_STEP_LU = 3.0

_ORDER = 32
_AROUND_S, _MIDDLE_S, _REACH_S = 0.05, 0.005, 0.002
_RINGING_S, _DECAY_S = 0.0008, 0.004
_LEAST_SPIKE = 8.0
_LEAST_OVER_ATTACKS = 2.0
_COMPARED_ATTACKS = 64
_SMALLEST_SPIKE = 5e-3
_NOISE_SHARE = 1e-6
_CHUNK = 64


def level_step(curve: LoudnessCurve, splices_s: Sequence[float]) -> Measurement:
    """The largest change of loudness at splices: 3 LU or less.

    The change is from the short-term loudness (3 s) that ends with a splice to that which begins
    with it. Splices nearer than 3 s to the ends have none.
    """
    name, wanted = "level step at splices", f"<= {MOST_STEP_LU:g} LU"
    steps_lu = {at_s: step for at_s in splices_s if (step := _step_lu(curve, at_s)) is not None}
    if not steps_lu:
        return Measurement(name, None, "LU", wanted, detail="no such splice")
    worst_s = max(steps_lu, key=lambda at_s: abs(steps_lu[at_s]))
    value = abs(steps_lu[worst_s])
    detail = f"{steps_lu[worst_s]:+.1f} LU at {worst_s:.1f} s, largest of {len(steps_lu)}"
    return Measurement(name, value, "LU", wanted, value <= MOST_STEP_LU, detail)


def _step_lu(curve: LoudnessCurve, at_s: float) -> float | None:
    window_s = curve.window_s
    if not len(curve.ends_s) or not window_s <= at_s <= float(curve.ends_s[-1]) - window_s:
        return None
    first_s = float(curve.ends_s[0])
    before, after = (curve.lufs[round((end_s - first_s) * 10)] for end_s in (at_s, at_s + window_s))
    return float(after - before)


@dataclass(frozen=True, eq=False)
class Spliced:
    """A sound with places where it may click.

    Attributes:
        audio: the sound.
        splices_s: the places.
        attacks: its clear attacks, which click by nature.
    """

    audio: Audio
    splices_s: tuple[float, ...]
    attacks: Attacks


def clicks(sounds: Mapping[str, Spliced]) -> Measurement:
    """How many splices click: none.

    A linear prediction of order 32 is fitted to the 50 ms on both sides of a splice, its middle
    10 ms left out. A break in the waveform leaves a spike of one or two samples in the residual
    within 2 ms of the splice, 8 times as high as its surroundings and what follows it. A drum
    stroke is noise that dies away, so the residual stays high after it; where a stroke starts as
    abruptly as a click, other strokes of the same sound do so too, and only what is twice as high
    as nearly all of them is a click.

    With stems, each is tested where its own clips begin and end.
    """
    found = [(float(at_s), name) for name, sound in sounds.items() for at_s in _clicking_s(sound)]
    count = sum(len(sound.splices_s) for sound in sounds.values())
    if not count:
        return Measurement("clicks at splices", None, "", "0", detail="no splices")
    told = ", ".join(f"{name} at {at_s:.2f} s" for at_s, name in sorted(found)[:5])
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    detail = f"{told}{more}" if found else f"{count} edges tested"
    return Measurement("clicks at splices", float(len(found)), "", "0", not found, detail)


def _clicking_s(sound: Spliced) -> list[float]:
    if not sound.splices_s or not sound.audio.length_samples:
        return []
    splices = torch.tensor(sound.splices_s, dtype=torch.float64)
    peaks, over = _spikes(sound.audio, splices)
    own = _own_spike(sound, splices)
    bound = max(_SMALLEST_SPIKE, _LEAST_OVER_ATTACKS * own)
    chosen = (over >= _LEAST_SPIKE) & (peaks >= bound)
    clicking: list[float] = splices[chosen].tolist()
    return clicking


def _own_spike(sound: Spliced, splices_s: Tensor) -> float:
    """How high nearly all of the spikes are that a sound's loudest attacks have by themselves."""
    times = torch.from_numpy(sound.attacks.times_s)
    strengths = torch.from_numpy(sound.attacks.strengths)
    away = (times[:, None] - splices_s).abs().amin(dim=1) > _AROUND_S
    times, strengths = times[away], strengths[away]
    if not len(times):
        return 0.0
    loudest = times[strengths.argsort(descending=True)[:_COMPARED_ATTACKS]]
    return float(_spikes(sound.audio, loudest)[0].quantile(0.9))


def _spikes(audio: Audio, times_s: Tensor) -> tuple[Tensor, Tensor]:
    """The highest residual near each moment, and how many times it is as high as its surroundings.

    Returns:
        Two of shape `(moments,)`, of the channel where the second is higher; float64, on the CPU.
    """
    parts = [_spikes_of_some(audio, some) for some in times_s.split(_CHUNK)]
    peaks, over = (torch.cat(row, dim=1) for row in zip(*parts, strict=True))
    channel = over.argmax(dim=0, keepdim=True)
    return peaks.gather(0, channel)[0].cpu(), over.gather(0, channel)[0].cpu()


def _spikes_of_some(audio: Audio, times_s: Tensor) -> tuple[Tensor, Tensor]:
    """As `_spikes`, for each channel: two of shape `(channels, moments)`."""
    rate_hz = audio.rate_hz
    around = max(4 * _ORDER, round(_AROUND_S * rate_hz))
    reach, middle = (max(2, round(part_s * rate_hz)) for part_s in (_REACH_S, _MIDDLE_S))
    centre = (times_s * rate_hz).round().long().to(audio.samples.device)
    index = centre[:, None] + torch.arange(-around, around + 1, device=centre.device)
    inside = (index >= 0) & (index < audio.length_samples)
    pieces = audio.samples[:, index.clamp(0, audio.length_samples - 1)].double()
    pieces = pieces.where(inside, 0.0).flatten(0, 1)
    residual = _residual(pieces, middle).abs()
    near = residual[:, around - reach : around + reach + 1]
    peak, place = near.max(dim=1)
    beside = torch.cat([residual[:, : around - middle], residual[:, around + middle :]], dim=1)
    spread = 1.4826 * beside.median(dim=1).values
    level = torch.maximum(spread, _level_beside(residual, place + around - reach, rate_hz))
    over = peak / level.clamp_min(1e-9)
    shape = audio.channels, len(times_s)
    return peak.reshape(shape), over.reshape(shape)


def _level_beside(residual: Tensor, at: Tensor, rate_hz: int) -> Tensor:
    """The higher of the residual's root mean squares just before and just after a spike."""
    gap, length = (max(2, round(part_s * rate_hz)) for part_s in (_RINGING_S, _DECAY_S))
    steps = torch.arange(gap, gap + length, device=at.device)
    sides = [
        residual.gather(1, at[:, None] + sign * steps).square().mean(dim=1) for sign in (1, -1)
    ]
    return torch.maximum(*sides).sqrt()


def _residual(pieces: Tensor, middle: int) -> Tensor:
    """What the linear prediction fitted to both sides of each piece leaves; the same shape."""
    half = pieces.shape[1] // 2
    before, after = pieces[:, : half - middle], pieces[:, half + middle :]
    correlation = _autocorrelation(before) + _autocorrelation(after)
    correlation[:, 0] = correlation[:, 0] * (1 + _NOISE_SHARE) + 1e-12
    lag = (torch.arange(_ORDER)[:, None] - torch.arange(_ORDER)).abs()
    taps = torch.linalg.solve(correlation[:, lag], correlation[:, 1:, None])[..., 0]
    kernel = torch.cat([-taps.flip(1), torch.ones_like(taps[:, :1])], dim=1)
    padded = F.pad(pieces, (_ORDER, 0))
    residual = F.conv1d(padded[None], kernel[:, None], groups=len(pieces))[0]
    # The first values have nothing before them to be predicted from.
    residual[:, :_ORDER] = 0
    return residual


def _autocorrelation(side: Tensor) -> Tensor:
    """Autocorrelation of windowed rows at lags 0 to the order, shape `(rows, order + 1)`."""
    windowed = side * torch.hann_window(side.shape[1], dtype=side.dtype, device=side.device)
    spectrum = torch.fft.rfft(windowed, n=2 * side.shape[1])
    correlation: Tensor = torch.fft.irfft(spectrum.abs().square())[:, : _ORDER + 1]
    return correlation
