"""Clips become tracks: one a source, as long as the mashup."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from mashup_worker.audio.signal import Audio
from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.render.automation import automated
from mashup_worker.mixing.render.time_stretch import Treatment, fit, stretches

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from mashup_worker.mixing.plan import Clip, Plan
    from mashup_worker.mixing.render.time_stretch import ChooseEngine, Fitted

_EDGE_S = 0.005
"""Over this, an edge without a fade comes in before its bar line, and goes out before the next."""

_TRACKS_AT_ONCE = 2


@dataclass(frozen=True, eq=False)
class Track:
    """What a source plays, from the beginning of the mashup to its end.

    Attributes:
        name: what the plan calls the source.
        kind: vocals, drums, bass, other, ...
        song: the song that it is a part of.
        audio: its sound, stereo.
        engines: what stretched it.
    """

    name: str
    kind: str
    song: str
    audio: Audio
    engines: tuple[str, ...]


def render_tracks(
    plan: Plan,
    sounds: Mapping[str, Audio],
    choose: ChooseEngine,
    on_progress: Callable[[float], None] = lambda _share: None,
) -> list[Track]:
    """Play all clips.

    Args:
        plan: the plan.
        sounds: by source of the plan, its sound: stereo, at the plan's rate, all on one device.
        choose: finds engines.
        on_progress: called with the share done.

    Raises:
        InvalidInput: a clip is taken from before or after its source.
    """
    _check_reach(plan, sounds)
    tracks = []
    on_cpu = all(sound.samples.device.type == "cpu" for sound in sounds.values())
    # A track's many small steps leave cores idle, which another one fills.
    with ThreadPoolExecutor(_TRACKS_AT_ONCE if on_cpu else 1) as pool:
        try:
            made = [pool.submit(_track, name, sounds[name], plan, choose) for name in plan.sources]
            for one in made:
                tracks.append(one.result())
                on_progress(len(tracks) / len(plan.sources))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return tracks


def _track(name: str, sound: Audio, plan: Plan, choose: ChooseEngine) -> Track:
    source = plan.sources[name]
    clips = [clip for clip in plan.clips if clip.source == name]
    with torch.inference_mode():  # a thread has its own
        fitted = [fit(one, sound, plan, choose) for one in stretches(clips)]
        length = plan.grid.sample_at(plan.grid.bars, plan.rate_hz)
        samples = sound.samples.new_zeros(2, length)
        for clip in clips:
            _place(samples, clip, _holding(fitted, clip), plan)
    engines = tuple(dict.fromkeys(one.engine for one in fitted))
    return Track(name, source.kind, source.song, Audio(samples, plan.rate_hz), engines)


def _check_reach(plan: Plan, sounds: Mapping[str, Audio]) -> None:
    for index, clip in enumerate(plan.clips):
        grid, duration_s = plan.sources[clip.source].grid, sounds[clip.source].duration_s
        start_s, stop_s = (
            grid.time_at(bar) for bar in (clip.from_bar, clip.from_bar + clip.source_bars)
        )
        if start_s >= duration_s or stop_s <= 0:
            raise InvalidInput(
                f"clips.{index}.from_bar: {clip.source} has nothing from bar {clip.from_bar:g} "
                f"to {clip.from_bar + clip.source_bars:g}; it lasts {duration_s:.1f} s"
            )


def _holding(fitted: Sequence[Fitted], clip: Clip) -> Fitted:
    """The stretched bars that a clip plays of."""
    treatment = Treatment.of(clip)
    return next(
        one
        for one in fitted
        if one.stretch.treatment == treatment
        and one.stretch.from_bar <= clip.from_bar < one.stretch.to_bar
    )


def _place(track: Tensor, clip: Clip, fitted: Fitted, plan: Plan) -> None:
    """Add a clip to its track."""
    start = plan.grid.sample_at(clip.at_bar, plan.rate_hz)
    stop = min(plan.grid.sample_at(clip.end_bar, plan.rate_hz), track.shape[1])
    edge = round(_EDGE_S * plan.rate_hz)
    # The attack on the bar line stays whole: what fades in is what comes before it.
    lead = 0 if clip.fade_in_bars else min(edge, start)
    length = stop - start + lead
    piece = fitted.cut(clip.from_bar, lead, length)
    piece = automated(piece, clip.automation, plan, start - lead)
    fade_in = _fade_samples(clip.fade_in_bars, plan) or lead
    fade_out = _fade_samples(clip.fade_out_bars, plan) or min(edge, length - lead)
    gain = equal_power_fades(length, fade_in, fade_out, like=piece) * 10 ** (clip.gain_db / 20)
    track[:, start - lead : stop] += piece * gain


def _fade_samples(bars: float, plan: Plan) -> int:
    return round(bars * plan.grid.bar_s * plan.rate_hz)


def equal_power_fades(
    length_samples: int, fade_in_samples: int, fade_out_samples: int, *, like: Tensor
) -> Tensor:
    """A gain that rises as a sine and falls as a cosine: two of them over each other keep power.

    Shape: `(length_samples,)`.
    """
    gain = torch.ones(length_samples, dtype=like.dtype, device=like.device)
    for samples, is_in in ((fade_in_samples, True), (fade_out_samples, False)):
        size = min(samples, length_samples)
        if size:
            step = (torch.arange(size, dtype=like.dtype, device=like.device) + 0.5) / size
            rise = torch.sin(step * (math.pi / 2))
            part = gain[:size] if is_in else gain[length_samples - size :]
            part *= rise if is_in else rise.flip(0)
    return gain
