"""Time-stretching of drums: original attacks, placed to the sample."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.filters import Response, filtered, low_pass
from mashup_worker.dsp.stretch.engine import Change, check
from mashup_worker.dsp.stretch.phase_vocoder import TensorStretcher
from mashup_worker.dsp.stretch.time_map import TimeMap
from mashup_worker.dsp.stretch.transients import HeldAttacks, find_attacks, hold_attacks

if TYPE_CHECKING:
    from torch import Tensor

_BEFORE_S, _AFTER_S = 0.015, 0.080
"""Greatest part around an attack that is copied; less where attacks are close."""

_FADE_IN_S, _FADE_OUT_S = 0.004, 0.015

_CROSSOVER_HZ = 200.0
_LEAST_LIKENESS = 0.7
"""Correlation of lows that may fade into each other: the dip is 0.7 dB at most."""

_AROUND_S = 0.030
_RISE = 2.0
"""By how much the power of lows grows around an attack that brings its own."""

_SAMPLES_AT_ONCE, _MARGIN_SAMPLES = 1 << 20, 1 << 13
"""Powers of two, so that the frames of a filter are aligned in every piece. The margin
exceeds the filter."""

_ATTACKS_AT_ONCE = 512


@dataclass(frozen=True)
class SliceStretcher:
    """Engine that cuts a sound at its attacks and lays them over its stretched version.

    Every attack is copied from the sound, from shortly before it until its decay, and placed where
    the time map puts it, to the sample. Between attacks the stretched sound fills the gaps, and
    fades out before the next attack, so there are neither holes nor repeated attacks.

    A bass note that continues through a hi-hat has another phase in the stretched sound, and a fade
    between the two would cancel. Over such notes only the band above a crossover is copied.
    """

    body: TensorStretcher = field(default_factory=TensorStretcher)
    name: str = "slices"

    def stretch(self, audio: Audio, change: Change) -> Audio:
        """Return the changed sound; see `StretchEngine.stretch`."""
        check(audio, change)
        stretched = self.body.stretch(audio, change)
        if change.time_map.is_identity:
            return stretched
        before, after = (round(s * audio.sample_rate) for s in (_BEFORE_S, _AFTER_S))
        held = hold_attacks(change.time_map, find_attacks(audio), before, after_samples=after)
        if change.semitones:
            still = TimeMap.constant(audio.length_samples, 1.0)
            audio = self.body.stretch(audio, Change(still, change.semitones, change.keep_formants))
        return Audio(_laid_over(stretched.samples, audio, held), audio.sample_rate)


def _laid_over(body: Tensor, audio: Audio, held: HeldAttacks) -> Tensor:
    if not len(held.attacks):
        return body
    apart = _lows_differ(body, audio, held)
    out = torch.empty_like(body)
    for start in range(0, body.shape[1], _SAMPLES_AT_ONCE):
        stop = min(start + _SAMPLES_AT_ONCE, body.shape[1])
        first = max(0, start - _MARGIN_SAMPLES)
        last = min(stop + _MARGIN_SAMPLES, body.shape[1])
        at = torch.arange(first, last, device=body.device)
        attack = _attack_at(held, at)
        weights = _weights(held, at, attack, audio.sample_rate)
        more = weights * (_untouched(audio, held, at, attack) - body[:, first:last])
        if apart.any():
            more = filtered(more, audio.sample_rate, [_less_lows(held, apart, first)])
        out[:, start:stop] = body[:, start:stop] + more[:, start - first : stop - first]
    return out


def _less_lows(held: HeldAttacks, apart: Tensor, first: int) -> Response:
    def response(at: Tensor, hz: Tensor) -> Tensor:
        return 1 - apart[_attack_at(held, first + at), None].float() * low_pass(hz, _CROSSOVER_HZ)

    return response


def _attack_at(held: HeldAttacks, at: Tensor) -> Tensor:
    """Return the index of the last attack whose held part has begun, else of the first."""
    return (torch.searchsorted(held.starts, at, right=True) - 1).clamp_min(0)


def _untouched(audio: Audio, held: HeldAttacks, at: Tensor, attack: Tensor) -> Tensor:
    """Return the sound's samples for those of the copy: `(...)` to `(channels, ...)`."""
    source = at - held.landings[attack] + held.attacks[attack]
    return audio.samples[:, source.clamp(0, audio.length_samples - 1)]


def _weights(held: HeldAttacks, at: Tensor, attack: Tensor, sample_rate: int) -> Tensor:
    # A fade ends before the attack, even at the start of the sound.
    fade_in = (held.landings - held.starts).clamp(1, max(1, round(_FADE_IN_S * sample_rate)))
    fade_out = max(1, round(_FADE_OUT_S * sample_rate))
    rise = (at - held.starts[attack] + 1) / fade_in[attack]
    return torch.minimum(rise, (held.stops[attack] - at) / fade_out).clamp(0, 1)


def _lows_differ(body: Tensor, audio: Audio, held: HeldAttacks) -> Tensor:
    """Return whether lows continue through attacks and differ in the body; bool `(attacks,)`."""
    longest = int((held.stops - held.starts).max()) + 1
    around = max(1, round(_AROUND_S * audio.sample_rate))
    window = torch.hann_window(around, device=body.device)
    spans = F.pad(audio.samples, (around, around)).unfold(1, around, 1)
    apart = []
    for attack in torch.arange(len(held.attacks), device=body.device).split(_ATTACKS_AT_ONCE):
        at = held.starts[attack, None] + torch.arange(longest, device=body.device)
        weights = _weights(held, at, attack[:, None], audio.sample_rate)
        pair = (
            _untouched(audio, held, at, attack[:, None]),
            body[:, at.clamp_max(body.shape[1] - 1)],
        )
        own, stretched = (_lows(one * weights, audio.sample_rate) for one in pair)
        likeness = (own * stretched.conj()).real.sum(1)
        unlike = likeness < _LEAST_LIKENESS * (_energy(own) * _energy(stretched)).sqrt()
        before, after = (
            _energy(_lows(spans[:, held.attacks[attack] + shift] * window, audio.sample_rate))
            for shift in (0, around)
        )
        apart.append(unlike & (after < _RISE * before))
    return torch.cat(apart)


def _lows(samples: Tensor, sample_rate: int) -> Tensor:
    bins = 1 + math.ceil(samples.shape[-1] * _CROSSOVER_HZ / sample_rate)
    spectra: Tensor = torch.fft.rfft(samples)[..., :bins]
    return spectra.movedim(1, 0).flatten(1)


def _energy(spectra: Tensor) -> Tensor:
    energy: Tensor = spectra.abs().square().sum(1)
    return energy
