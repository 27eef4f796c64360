"""Tracks put together: each finds its room, then they are summed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.envelope import activity, at_samples, step_samples
from mashup_worker.dsp.filters import bell, filtered, high_pass, low_pass
from mashup_worker.mixing.song import BASS, DRUMS, is_vocal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import Tensor

    from mashup_worker.dsp.filters import Response
    from mashup_worker.mixing.plan import Mix, Plan
    from mashup_worker.mixing.render.tracks import Track

POCKET_HZ = (2_000.0, 5_000.0)
"""Where consonants lie."""

_KICK_HZ = 120.0
_SLOW_WINDOW_S = 0.186
"""Tells 80 Hz from 120."""


def cleared(sound: Audio, kind: str, mix: Mix) -> Audio:
    """A source without what nobody misses of it: voices lose what lies below them."""
    if not is_vocal(kind):
        return sound

    def above(_at: Tensor, hz: Tensor) -> Tensor:
        return high_pass(hz, mix.vocal_high_pass_hz)[None]

    samples = filtered(sound.samples, sound.rate_hz, [above], window_s=_SLOW_WINDOW_S)
    return Audio(samples, sound.rate_hz)


def mixed_down(tracks: Sequence[Track], plan: Plan) -> list[Track]:
    """Tracks as they are heard in the sum; `summed` adds them up.

    Pitched instruments make room for consonants while a voice sings, and the bass for the kick
    while it sounds.

    Args:
        tracks: all as long as the mashup, stereo.
        plan: its `mix` says how far.
    """
    voices = _sum(one for one in tracks if is_vocal(one.kind))
    drums = _sum(one for one in tracks if one.kind == DRUMS)
    singing = None if voices is None else _singing(voices, plan.rate_hz)
    kick = None if drums is None else _kicking(drums, plan.rate_hz)
    return [
        replace(track, audio=Audio(_seated(track, plan, singing, kick), plan.rate_hz))
        for track in tracks
    ]


def summed(tracks: Sequence[Track], plan: Plan) -> Audio:
    """The sum of tracks, softened as the plan says."""
    total = _sum(tracks)
    if total is None:
        raise ValueError("no tracks")
    cutoff_hz = plan.mix.tone_low_pass_hz
    if cutoff_hz is not None:
        total = filtered(total, plan.rate_hz, [lambda _at, hz: low_pass(hz, cutoff_hz)[None]])
    return Audio(total, plan.rate_hz)


def _seated(track: Track, plan: Plan, singing: Tensor | None, kick: Tensor | None) -> Tensor:
    samples, mix = track.audio.samples, plan.mix
    if is_vocal(track.kind) or track.kind == DRUMS:
        return samples
    if singing is not None and mix.pocket_db:
        samples = filtered(samples, plan.rate_hz, [_pocket(singing, plan)])
    if track.kind == BASS and kick is not None and mix.duck_db:
        ducking = at_samples(kick, step_samples(plan.rate_hz), samples.shape[1])
        samples = samples * 10 ** (-mix.duck_db * ducking / 20)
    return samples


def _pocket(singing: Tensor, plan: Plan) -> Response:
    step = step_samples(plan.rate_hz)

    def response(at: Tensor, hz: Tensor) -> Tensor:
        now = singing[(at // step).clamp(0, len(singing) - 1)]
        return bell(hz, *POCKET_HZ, -plan.mix.pocket_db * now[:, None])

    return response


def _singing(voices: Tensor, rate_hz: int) -> Tensor:
    """1 while a voice sings, 0 while it rests, a tenth of a second from one to the other."""
    return activity(voices, rate_hz, full_db=-18.0, none_db=-30.0, attack_s=0.1, release_s=0.25)


def _kicking(drums: Tensor, rate_hz: int) -> Tensor:
    """1 when a kick strikes, 0 a little later."""
    low = filtered(drums, rate_hz, [lambda _at, hz: low_pass(hz, _KICK_HZ)[None]])
    return activity(low, rate_hz, full_db=-6.0, none_db=-18.0, attack_s=0.01, release_s=0.12)


def _sum(tracks: Iterable[Track]) -> Tensor | None:
    total: Tensor | None = None
    for track in tracks:
        total = track.audio.samples.clone() if total is None else total.add_(track.audio.samples)
    return total
