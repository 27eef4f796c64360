"""Mixdown: vocal high-pass, ducking of instruments and bass, and the sum of tracks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.envelope import activity, at_samples, step_samples
from mashup_worker.dsp.filters import bell, filtered, high_pass, low_pass
from mashup_worker.mixing.song import BASS, DRUMS, is_vocal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import Tensor

    from mashup_worker.dsp.filters import Response
    from mashup_worker.mixing.plan import MixSettings, Plan
    from mashup_worker.mixing.render.tracks import RenderedTrack

VOCAL_DIP_HZ = (2_000.0, 5_000.0)
"""Range of consonants, in which instruments are attenuated."""

_KICK_HZ = 120.0
_HIGH_PASS_WINDOW_S = 0.186
"""Window that resolves 80 Hz from 120 Hz."""


def high_pass_vocals(audio: Audio, kind: str, mix: MixSettings) -> Audio:
    """Apply the vocal high-pass filter to a source; other kinds are returned unchanged."""
    if not is_vocal(kind):
        return audio

    def response(_at: Tensor, hz: Tensor) -> Tensor:
        return high_pass(hz, mix.vocal_high_pass_hz)[None]

    samples = filtered(audio.samples, audio.sample_rate, [response], window_s=_HIGH_PASS_WINDOW_S)
    return Audio(samples, audio.sample_rate)


@dataclass(frozen=True, eq=False)
class Ducking:
    """Activity of vocals and of the kick, 0 to 1 by envelope step; None without such a track."""

    singing: Tensor | None
    kick: Tensor | None

    @classmethod
    def of(cls, tracks: Sequence[RenderedTrack], plan: Plan) -> Ducking:
        """Measure the tracks of a mashup before they are ducked."""
        vocals = _sum(one for one in tracks if is_vocal(one.kind))
        drums = _sum(one for one in tracks if one.kind == DRUMS)
        return cls(
            singing=None if vocals is None else _singing(vocals, plan.sample_rate),
            kick=None if drums is None else _kick(drums, plan.sample_rate),
        )

    def dip_of(self, kind: str, mix: MixSettings) -> Tensor | None:
        """Return the activity at which a kind of stem is dipped at 2 to 5 kHz, if it is."""
        return None if is_vocal(kind) or kind == DRUMS or not mix.vocal_dip_db else self.singing

    def duck_of(self, kind: str, mix: MixSettings) -> Tensor | None:
        """Return the activity at which a kind of stem is lowered, if it is."""
        return self.kick if kind == BASS and mix.duck_db else None


def duck_tracks(tracks: Sequence[RenderedTrack], plan: Plan) -> list[RenderedTrack]:
    """Attenuate instruments at 2 to 5 kHz while vocals sing, and the bass while a kick sounds."""
    ducking = Ducking.of(tracks, plan)
    return [
        replace(track, audio=Audio(_ducked(track, plan, ducking), plan.sample_rate))
        for track in tracks
    ]


def sum_tracks(tracks: Sequence[RenderedTrack], plan: Plan) -> Audio:
    """Return the sum of tracks, through the plan's low-pass filter if it has one."""
    total = _sum(tracks)
    if total is None:
        raise ValueError("no tracks")
    cutoff_hz = plan.mix.tone_low_pass_hz
    if cutoff_hz is not None:
        total = filtered(total, plan.sample_rate, [lambda _at, hz: low_pass(hz, cutoff_hz)[None]])
    return Audio(total, plan.sample_rate)


def _ducked(track: RenderedTrack, plan: Plan, ducking: Ducking) -> Tensor:
    samples, mix = track.audio.samples, plan.mix
    singing, kick = ducking.dip_of(track.kind, mix), ducking.duck_of(track.kind, mix)
    if singing is not None:
        samples = filtered(samples, plan.sample_rate, [_vocal_dip(singing, plan)])
    if kick is not None:
        amount = at_samples(kick, step_samples(plan.sample_rate), samples.shape[1])
        samples = samples * 10 ** (-mix.duck_db * amount / 20)
    return samples


def _vocal_dip(singing: Tensor, plan: Plan) -> Response:
    step = step_samples(plan.sample_rate)

    def response(at: Tensor, hz: Tensor) -> Tensor:
        amount = singing[(at // step).clamp(0, len(singing) - 1)]
        return bell(hz, *VOCAL_DIP_HZ, -plan.mix.vocal_dip_db * amount[:, None])

    return response


def _singing(vocals: Tensor, sample_rate: int) -> Tensor:
    return activity(vocals, sample_rate, full_db=-18.0, none_db=-30.0, attack_s=0.1, release_s=0.25)


def _kick(drums: Tensor, sample_rate: int) -> Tensor:
    low = filtered(drums, sample_rate, [lambda _at, hz: low_pass(hz, _KICK_HZ)[None]])
    return activity(low, sample_rate, full_db=-6.0, none_db=-18.0, attack_s=0.01, release_s=0.12)


def _sum(tracks: Iterable[RenderedTrack]) -> Tensor | None:
    total: Tensor | None = None
    for track in tracks:
        total = track.audio.samples.clone() if total is None else total.add_(track.audio.samples)
    return total
