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
from mashup_worker.mixing.render.time_stretch import StretchedSpans, StretchSettings, stretch_spans

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


@dataclass(frozen=True, eq=False)
class StretchedSource:
    """Source of a plan: its clips, each with the stretched span that it is cut from."""

    name: str
    audio: Audio
    clips: tuple[tuple[Clip, StretchedSpan], ...]


@dataclass(frozen=True)
class ClipPlace:
    """Samples of the mashup that a clip fills, and its fades inside them.

    Attributes:
        lead: samples before the bar line, in which a clip without a musical fade fades in.
    """

    start: int
    stop: int
    lead: int
    fade_in: int
    fade_out: int

    @classmethod
    def of(cls, clip: Clip, plan: Plan) -> ClipPlace:
        """Return the place of a clip."""
        grid, rate = plan.grid, plan.sample_rate
        bar_line = grid.sample_at(clip.at_bar, rate)
        stop = min(grid.sample_at(clip.end_bar, rate), grid.sample_at(grid.bars, rate))
        edge = round(_EDGE_S * rate)
        # Fading in before the bar line preserves an attack on it.
        lead = 0 if clip.fade_in_bars else min(edge, bar_line)
        samples_per_bar = grid.span_at(clip.at_bar).bar_s * rate
        return cls(
            start=bar_line - lead,
            stop=stop,
            lead=lead,
            fade_in=round(clip.fade_in_bars * samples_per_bar) or lead,
            fade_out=round(clip.fade_out_bars * samples_per_bar) or min(edge, stop - bar_line),
        )


def render_tracks(
    plan: Plan,
    sources: Mapping[str, Audio],
    choose: ChooseEngine,
    *,
    stretched: StretchedSpans | None = None,
    on_progress: Callable[[float], None] = lambda _share: None,
) -> list[RenderedTrack]:
    """Render all clips of a plan from stereo sources at its sample rate, on one device.

    `stretched` has the spans of an earlier rendering of the same sources, and keeps those of this
    one.

    Raises:
        InvalidInput: a clip lies outside its source.
    """
    _check_clips(plan, sources)
    if stretched is not None:
        stretched.keep_only(plan)
    tracks = []
    on_cpu = all(audio.samples.device.type == "cpu" for audio in sources.values())
    # One track's many small operations leave cores idle, which a second track uses.
    with ThreadPoolExecutor(_MAX_THREADS if on_cpu else 1) as pool:
        try:
            futures = [
                pool.submit(_render_track, name, sources[name], plan, choose, stretched)
                for name in plan.sources
            ]
            for future in futures:
                tracks.append(future.result())
                on_progress(len(tracks) / len(plan.sources))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return tracks


def _render_track(
    name: str, audio: Audio, plan: Plan, choose: ChooseEngine, stretched: StretchedSpans | None
) -> RenderedTrack:
    return render_source(stretch_source(name, audio, plan, choose, stretched), plan)


def stretch_source(
    name: str,
    audio: Audio,
    plan: Plan,
    choose: ChooseEngine,
    stretched: StretchedSpans | None = None,
) -> StretchedSource:
    """Stretch the spans that the clips of a source play, except those of `stretched`."""
    known = stretched or StretchedSpans()
    clips = [clip for clip in plan.clips if clip.source == name]
    with torch.inference_mode():  # applies to one thread only
        spans = [
            known.stretch(one, audio, plan, choose=choose)
            for one in stretch_spans(clips, plan.grid)
        ]
    return StretchedSource(
        name, audio, tuple((clip, _span_of(clip, spans, plan)) for clip in clips)
    )


def render_source(stretched: StretchedSource, plan: Plan) -> RenderedTrack:
    """Place the clips of a source, with their automation, gains and fades."""
    source = plan.sources[stretched.name]
    length = plan.grid.sample_at(plan.grid.bars, plan.sample_rate)
    with torch.inference_mode():
        samples = stretched.audio.samples.new_zeros(2, length)
        for clip, span in stretched.clips:
            _add_clip(samples, clip, span, plan)
    return RenderedTrack(
        name=stretched.name,
        kind=source.kind,
        song=source.song,
        audio=Audio(samples, plan.sample_rate),
        engines=tuple(dict.fromkeys(span.engine for _, span in stretched.clips)),
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
    place = ClipPlace.of(clip, plan)
    length = place.stop - place.start
    piece = span.cut(clip.from_bar, place.lead, length)
    piece = apply_automation(piece, clip.automation, plan, first_sample=place.start)
    gain = equal_power_fades(length, place.fade_in, place.fade_out, like=piece)
    track[:, place.start : place.stop] += piece * (gain * 10 ** (clip.gain_db / 20))


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
