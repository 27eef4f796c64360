"""Time-stretching of drums: attacks as they were played, at exactly the moments they belong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.stretch.engine import Change, check
from mashup_worker.dsp.stretch.phase_vocoder import TensorStretcher
from mashup_worker.dsp.stretch.time_map import TimeMap
from mashup_worker.dsp.stretch.transients import HeldAttacks, find_attacks, hold_attacks

if TYPE_CHECKING:
    from torch import Tensor

_BEFORE_S, _AFTER_S = 0.015, 0.080
"""Around an attack, at most: what is played untouched. Less where attacks are close."""

_FADE_IN_S, _FADE_OUT_S = 0.004, 0.015
_SAMPLES_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class SliceStretcher:
    """Cuts a sound at its attacks and lays them over its stretched self.

    Every attack is the sound's own, from a little before it until it has died down, and lands
    where the time map takes it, to the sample. Between attacks the stretched sound fills what gaps
    there are, so there are neither holes nor repeated attacks; before an attack it has faded out.

    Attributes:
        body: what stretches the sound between attacks.
    """

    body: TensorStretcher = field(default_factory=TensorStretcher)
    name: str = "slices"
    keeps_formants: bool = True

    def stretch(self, audio: Audio, change: Change) -> Audio:
        """The sound, changed; see `StretchEngine.stretch`."""
        check(audio, change)
        if change.is_nothing:
            return audio
        if change.semitones:
            still = TimeMap.constant(audio.length_samples, 1.0)
            audio = self.body.stretch(audio, Change(still, change.semitones, change.keep_formants))
        stretched = self.body.stretch(audio, Change(change.time_map))
        if change.time_map.is_identity:
            return stretched
        before, after = (round(s * audio.rate_hz) for s in (_BEFORE_S, _AFTER_S))
        held = hold_attacks(change.time_map, find_attacks(audio), before, after)
        return Audio(_laid_over(stretched.samples, audio, held), audio.rate_hz)


def _laid_over(body: Tensor, audio: Audio, held: HeldAttacks) -> Tensor:
    """The body, with attacks of the sound faded in and out where they are held."""
    if not len(held.attacks):
        return body
    # A fade is over when the attack comes, even at the start of the sound.
    fade_in = (held.landings - held.starts).clamp(1, max(1, round(_FADE_IN_S * audio.rate_hz)))
    fade_out = max(1, round(_FADE_OUT_S * audio.rate_hz))
    out = torch.empty_like(body)
    for start in range(0, body.shape[1], _SAMPLES_AT_ONCE):
        stop = min(start + _SAMPLES_AT_ONCE, body.shape[1])
        at = torch.arange(start, stop, device=body.device)
        attack = (torch.searchsorted(held.starts, at, right=True) - 1).clamp_min(0)
        rise = (at - held.starts[attack] + 1) / fade_in[attack]
        weight = torch.minimum(rise, (held.stops[attack] - at) / fade_out).clamp(0, 1)
        source = at - held.landings[attack] + held.attacks[attack]
        untouched = audio.samples[:, source.clamp(0, audio.length_samples - 1)]
        out[:, start:stop] = torch.lerp(body[:, start:stop], untouched, weight)
    return out
