"""Tracks of a mashup: the clips of each source, as long as the mashup."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from mashup_worker.audio.signal import Audio
from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.render.automation import apply_automation
from mashup_worker.mixing.render.time_stretch import StretchSettings, stretch_span, stretch_spans

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from mashup_worker.mixing.plan import Clip, Plan
    from mashup_worker.mixing.render.time_stretch import ChooseEngine, StretchedSpan

_EDGE_S = 0.005
"""Length of the fade that keeps an edge without a musical fade from clicking."""

_MAX_THREADS = 2


@dataclass(frozen=True, eq=False, kw_only=True)
class RenderedTrack:
    """All clips of a source, stereo and as long as the mashup, and their engines."""

    name: str
    kind: str
    song: str
    audio: Audio
    engines: tuple[str, ...]


def render_tracks(
    plan: Plan,
    sources: Mapping[str, Audio],
    choose: ChooseEngine,
    *,
    on_progress: Callable[[float], None] = lambda _share: None,
) -> list[RenderedTrack]:
    """Render all clips of a plan from stereo sources at its sample rate, on one device.

    Raises:
        InvalidInput: a clip lies outside its source.
    """
    _check_clips(plan, sources)
    tracks = []
    on_cpu = all(audio.samples.device.type == "cpu" for audio in sources.values())
    # One track's many small operations leave cores idle, which a second track uses.
    with ThreadPoolExecutor(_MAX_THREADS if on_cpu else 1) as pool:
        try:
            futures = [
                pool.submit(_render_track, name, sources[name], plan, choose)
                for name in plan.sources
            ]
            for future in futures:
                tracks.append(future.result())
                on_progress(len(tracks) / len(plan.sources))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return tracks


def _render_track(name: str, audio: Audio, plan: Plan, choose: ChooseEngine) -> RenderedTrack:
    source = plan.sources[name]
    clips = [clip for clip in plan.clips if clip.source == name]
    with torch.inference_mode():  # applies to one thread only
        spans = [
            stretch_span(one, audio, plan, choose=choose) for one in stretch_spans(clips, plan.grid)
        ]
        length = plan.grid.sample_at(plan.grid.bars, plan.sample_rate)
        samples = audio.samples.new_zeros(2, length)
        for clip in clips:
            _add_clip(samples, clip, _span_of(clip, spans, plan), plan)
    return RenderedTrack(
        name=name,
        kind=source.kind,
        song=source.song,
        audio=Audio(samples, plan.sample_rate),
        engines=tuple(dict.fromkeys(one.engine for one in spans)),
    )


def _check_clips(plan: Plan, sources: Mapping[str, Audio]) -> None:
    for index, clip in enumerate(plan.clips):
        grid, duration_s = plan.sources[clip.source].grid, sources[clip.source].duration_s
        start_s, stop_s = grid.time_at(clip.from_bar), grid.time_at(clip.source_end_bar)
        if start_s >= duration_s or stop_s <= 0:
            raise InvalidInput(
                f"clips.{index}.from_bar: bars {clip.from_bar:g} to {clip.source_end_bar:g} are "
                f"outside {clip.source}, which lasts {duration_s:.1f} s"
            )


def _span_of(clip: Clip, spans: Sequence[StretchedSpan], plan: Plan) -> StretchedSpan:
    settings = StretchSettings.of(clip, plan.grid)
    return next(
        one
        for one in spans
        if one.span.settings == settings and one.span.from_bar <= clip.from_bar < one.span.to_bar
    )


def _add_clip(track: Tensor, clip: Clip, span: StretchedSpan, plan: Plan) -> None:
    start = plan.grid.sample_at(clip.at_bar, plan.sample_rate)
    stop = min(plan.grid.sample_at(clip.end_bar, plan.sample_rate), track.shape[1])
    edge = round(_EDGE_S * plan.sample_rate)
    # Fading in before the bar line preserves an attack on it.
    lead = 0 if clip.fade_in_bars else min(edge, start)
    length = stop - start + lead
    piece = span.cut(clip.from_bar, lead, length)
    piece = apply_automation(piece, clip.automation, plan, first_sample=start - lead)
    samples_per_bar = plan.grid.span_at(clip.at_bar).bar_s * plan.sample_rate
    fade_in = round(clip.fade_in_bars * samples_per_bar) or lead
    fade_out = round(clip.fade_out_bars * samples_per_bar) or min(edge, length - lead)
    gain = equal_power_fades(length, fade_in, fade_out, like=piece) * 10 ** (clip.gain_db / 20)
    track[:, start - lead : stop] += piece * gain


def equal_power_fades(
    length_samples: int, fade_in_samples: int, fade_out_samples: int, *, like: Tensor
) -> Tensor:
    """Return the gain, `(length_samples,)`, of a sine-shaped fade-in and a cosine-shaped fade-out.

    The powers of a fade-out and a fade-in over the same samples add up to 1.
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
