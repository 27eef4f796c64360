"""Detection of attacks, and time maps that preserve them."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from mashup_worker.dsp.pieces import samples_at_once
from mashup_worker.dsp.stft import stft
from mashup_worker.dsp.stretch.time_map import TimeMap

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

    from mashup_worker.audio.signal import Audio

_WINDOW_S = 0.0116
_HOPS_A_WINDOW = 4
_BAND_EDGES_HZ = (0, 200, 400, 800, 1_600, 3_200, 6_400, 12_800)

_FLOOR = 1e-3
"""Share of a band's mean power below which it counts as silent."""

_LEAST_RISE = 0.5
"""Nepers of power, averaged over the bands."""

_SHORTEST_GAP_S = 0.03
_BEFORE_S, _AFTER_S = 0.006, 0.003
"""Of the powers whose ratio is highest at an attack."""

_SEARCH_S = 0.012
_LEAST_RATIO = 2.0
_NEARLY = 0.9

_HELD_SHARE = 0.6
"""Part of a gap between attacks that may be held."""


def find_attacks(audio: Audio) -> Tensor:
    """Return the samples where sounds begin: int64 `(attacks,)`, about 30 ms or more between them.

    Candidates are frames in which the power of many bands rises. The attack is the nearby sample at
    which the power of some milliseconds exceeds that before it most.
    """
    if not audio.length_samples:
        return torch.empty(0, dtype=torch.int64, device=audio.samples.device)
    coarse = _candidates(audio.samples, audio.sample_rate)
    return _refined(audio.samples, audio.sample_rate, coarse)


def _candidates(samples: Tensor, sample_rate: int) -> Tensor:
    hop = max(1, round(_WINDOW_S * sample_rate / _HOPS_A_WINDOW))
    power = _band_power(samples, sample_rate, hop)
    floor = _FLOOR * torch.maximum(power.mean(1, keepdim=True), power.mean() / len(power))
    level = (power + floor.clamp_min(torch.finfo(power.dtype).tiny)).log()
    # A step takes a window to pass; the frames before that are its reference.
    lag = _HOPS_A_WINDOW
    before = F.max_pool1d(F.pad(level, (lag + 2, 0), value=float(level.min())), 3, 1)
    rise = (level - before[:, : level.shape[1]]).relu().mean(0)
    reach = max(1, round(_SHORTEST_GAP_S * sample_rate / hop))
    highest = F.max_pool1d(rise[None], 2 * reach + 1, 1, reach)[0]
    chosen = (rise == highest) & (rise > _LEAST_RISE)
    return (chosen.nonzero()[:, 0] - lag // 2) * hop


def _band_power(samples: Tensor, sample_rate: int, hop: int) -> Tensor:
    """Return the power over all channels by band and frame; frame `i` is centered on `i * hop`."""
    size = _HOPS_A_WINDOW * hop
    window = torch.hann_window(size, device=samples.device)
    padded = F.pad(samples, (size // 2, size // 2))
    hz = torch.arange(size // 2 + 1, device=samples.device) * (sample_rate / size)
    edges = torch.tensor(_BAND_EDGES_HZ[1:], device=samples.device, dtype=hz.dtype)
    band = torch.bucketize(hz, edges, right=True)
    # A matrix product: sums by index are not deterministic on CUDA.
    by_band = F.one_hot(band, len(_BAND_EDGES_HZ)).to(samples.dtype)
    at_once = max(1, samples_at_once(samples.device) // hop)
    pieces = []
    for start in range(0, padded.shape[1] - size + 1, at_once * hop):
        piece = padded[:, start : start + (at_once - 1) * hop + size]
        spectra = stft(piece, window, hop)
        power = (spectra.real.square() + spectra.imag.square()).sum(0)
        pieces.append((power @ by_band).T)
    return torch.cat(pieces, dim=1)[: int(band.max()) + 1]


def _refined(samples: Tensor, sample_rate: int, coarse: Tensor) -> Tensor:
    before, after = (max(1, round(s * sample_rate)) for s in (_BEFORE_S, _AFTER_S))
    reach = max(1, round(_SEARCH_S * sample_rate))
    margin = reach + before + 1
    padded = F.pad(samples, (margin, reach + after + 1))
    spans = padded.unfold(1, margin + reach + after + 1, 1)[:, coarse.clamp(0, samples.shape[1])]
    # Attacks show earliest in high frequencies.
    power = (spans[..., 1:] - 0.9 * spans[..., :-1]).double().square().sum(0)
    sums = F.pad(power.cumsum(1), (1, 0))
    at = torch.arange(before, before + 2 * reach + 1, device=samples.device)
    then = (sums[:, at + after] - sums[:, at]) / after
    earlier = (sums[:, at] - sums[:, at - before]) / before
    floor = 1e-6 * then.amax(1, keepdim=True) + torch.finfo(then.dtype).tiny
    ratios = (then + floor) / (earlier + floor)
    highest = ratios.amax(1)
    # The last of those nearly as high: for a click they are the same until it has come.
    order = torch.arange(ratios.shape[1], device=samples.device)
    place = torch.where(ratios >= _NEARLY * highest[:, None], order, 0).amax(1)
    found = (coarse - reach + place)[highest > _LEAST_RATIO]
    attacks: Tensor = found.clamp(0, samples.shape[1] - 1).unique()
    return attacks


@dataclass(frozen=True, eq=False, kw_only=True)
class HeldAttacks:
    """Time map that plays the surroundings of attacks at their own speed.

    It passes through attacks as the plain map does; the parts between compensate. `attacks` are
    positions in the sound; `landings`, and `starts` and `stops` of held parts, positions in the
    copy.
    """

    time_map: TimeMap
    attacks: Tensor
    landings: Tensor
    starts: Tensor
    stops: Tensor


def hold_attacks(
    time_map: TimeMap, attacks: Tensor, before_samples: int, *, after_samples: int
) -> HeldAttacks:
    """Return a map that holds so many samples around attacks, fewer where they are close."""
    landings = time_map.target_at(attacks).round().long()
    sides = ((attacks, time_map.source_samples), (landings, time_map.target_samples))
    gaps = torch.stack(
        [torch.diff(at, prepend=at.new_zeros(1), append=at.new_tensor([end])) for at, end in sides]
    ).amin(0)
    share = _HELD_SHARE * gaps / max(1, before_samples + after_samples)
    before = (share[:-1] * before_samples).long().clamp(0, before_samples)
    after = (share[1:] * after_samples).long().clamp(0, after_samples)
    sources, targets = (
        torch.stack([at - before, at + after], 1).flatten().tolist() for at in (attacks, landings)
    )
    held = _through(time_map, sources, targets)
    return HeldAttacks(
        time_map=held,
        attacks=attacks,
        landings=landings,
        starts=landings - before,
        stops=landings + after,
    )


def rising_map(points: Iterable[tuple[int, int]], end: tuple[int, int]) -> TimeMap:
    """Return a map through pairs of source and target samples, without pairs that do not rise."""
    rising = [(0, 0)]
    for point in sorted(points):
        if all(a < b < c for a, b, c in zip(rising[-1], point, end, strict=True)):
            rising.append(point)
    sources, targets = zip(*rising, end, strict=True)
    return TimeMap(sources, targets)


def _through(time_map: TimeMap, sources: list[int], targets: list[int]) -> TimeMap:
    points = list(zip(sources, targets, strict=True))
    for anchor in zip(time_map.source, time_map.target, strict=True):
        place = bisect_left(sources, anchor[0])
        if place % 2 == 0 and place == bisect_left(targets, anchor[1]):
            points.append(anchor)
    return rising_map(points, (time_map.source_samples, time_map.target_samples))
