"""Tempo, beats and bars of a song: its pulse, the most likely meter, and their times."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from mashup_worker.analysis.chroma import FRAME_RATE_HZ as CHROMA_FRAME_RATE_HZ
from mashup_worker.analysis.clicks import find_clicks
from mashup_worker.analysis.feature_streams import feature_streams
from mashup_worker.analysis.meter import (
    LEVELS,
    MIN_BEATS,
    Beats,
    Meter,
    ScoredMeters,
    instants,
    score_meters,
    time_signature,
)
from mashup_worker.analysis.meter_shares import (
    meter_shares,
    shares_among,
    shares_below,
    tempo_candidates,
)
from mashup_worker.analysis.onsets import FRAME_RATE_HZ
from mashup_worker.analysis.pulse import LOOSE_DRIFT_S, Pulse, find_pulse
from mashup_worker.analysis.result import (
    BEATS_PER_BAR,
    AnalysisOptions,
    TempoCandidate,
    TempoStretch,
)
from mashup_worker.analysis.stretches import Stretch, find_jumps, find_stretches
from mashup_worker.analysis.tempo_lines import nearest_onsets
from mashup_worker.analysis.tempogram import tempogram

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.analysis.arrays import Array, Indices
    from mashup_worker.analysis.chroma import Chroma
    from mashup_worker.analysis.feature_streams import FeatureStreams
    from mashup_worker.analysis.onsets import Onsets
    from mashup_worker.analysis.tempogram import Tempogram

_LATENCY_S = 0.005
"""Lead of an accent's peak over the start of its sound, because the window reaches ahead."""

_FAINT, _STRONG = 0.3, 1.2
_FULL_CONFIDENCE_STROKES = 32
_SLOW_BPM = 80.0
_NEAR_FRAMES = 4.0
_SAME_OCTAVES = 0.006
_EDGE_S = 0.05
"""Time by which the first beat may precede the sound, because onsets are detected late."""


@dataclass(frozen=True, eq=False)
class Rhythm:
    """Tempo, beats and bars of a song. Values that cannot be determined are None or empty.

    Attributes:
        tempo_bpm: beats per minute; the median if the tempo drifts. Of several stretches, the
            longest gives tempo, candidates, bars and confidences.
        confidence: of the tempo, 0 to 1.
        beat_confidence: that the beats are not between those that people tap, 0 to 1.
        bar_confidence: that bars have this length and begin at these beats, 0 to 1.
        candidates: likely tempi, best first.
        stable: whether one tempo fits all beats.
        beats_s: times of the beats, rising.
        downbeats_s: times of the beats that begin a bar.
        beats_per_bar: one of `BEATS_PER_BAR`.
        time_signature: such as `"4/4"`; `"6/8"` or `"12/8"` where beats divide into three.
        stretches: parts with a constant tempo and phase each, in order.
    """

    tempo_bpm: float | None = None
    confidence: float = 0.0
    beat_confidence: float = 0.0
    bar_confidence: float = 0.0
    candidates: tuple[TempoCandidate, ...] = ()
    stable: bool | None = None
    beats_s: tuple[float, ...] = ()
    downbeats_s: tuple[float, ...] = ()
    beats_per_bar: int | None = None
    time_signature: str | None = None
    stretches: tuple[TempoStretch, ...] = ()

    def shifted(self, shift_s: float) -> Rhythm:
        """Return the rhythm with all times later by `shift_s`."""
        beats, bars = (
            tuple(time_s + shift_s for time_s in times)
            for times in (self.beats_s, self.downbeats_s)
        )
        stretches = tuple(
            replace(one, start_s=one.start_s + shift_s, stop_s=one.stop_s + shift_s)
            for one in self.stretches
        )
        return replace(self, beats_s=beats, downbeats_s=bars, stretches=stretches)


def find_rhythm(
    onsets: Onsets,
    tempi: Tempogram,
    harmony: Chroma,
    *,
    options: AnalysisOptions,
    sounding_s: tuple[float, float],
) -> Rhythm:
    """Find the rhythm of one song from features without batch axes.

    Args:
        onsets: onsets of the sound that carries the rhythm.
        tempi: tempogram of these onsets.
        harmony: chroma of the sound that carries the harmony.
        options: ranges and hints.
        sounding_s: start and end of the song; beats lie between them.
    """
    pulse = _pulse(onsets, tempi, sounding_s)
    if pulse is None or _is_too_short(sounding_s, options):
        return Rhythm()
    streams = feature_streams(onsets, harmony)
    stretches = find_stretches(onsets, tempi, streams, pulse.period)
    if len(stretches) > 1 and not _is_one_line(stretches, pulse):
        parts = _parts(onsets, harmony, options=options, sounding_s=sounding_s, stretches=stretches)
    else:

        def whole(given: AnalysisOptions) -> Rhythm:
            return _one_rhythm(
                onsets, tempi, harmony, options=given, sounding_s=sounding_s, pulse=pulse
            )

        parts = [whole(options)]
        # Bars of a wrong length would seem to move all the time.
        free = replace(options, beats_per_bar=None)
        found = parts[0] if free == options else whole(free)
        if found.stable:
            stretches = _split_at_jumps(found, streams, onsets.frames)
            if len(stretches) > 1:
                parts = _parts(
                    onsets, harmony, options=options, sounding_s=sounding_s, stretches=stretches
                )
    return _of_parts(parts) if parts else Rhythm()


def _is_one_line(stretches: Sequence[Stretch], pulse: Pulse) -> bool:
    """Return whether stretches stray from a steady pulse no farther than loose playing does."""
    if not pulse.steady:
        return False
    firsts = [
        one.phase + np.ceil((one.start - one.phase) / one.period) * one.period for one in stretches
    ]
    beats = np.concatenate(
        [
            np.arange(first, one.stop, one.period)
            for first, one in zip(firsts, stretches, strict=True)
        ]
    )
    away = np.abs(pulse.instants - beats[:, None]).min(axis=1)
    return bool(away.max() <= LOOSE_DRIFT_S * FRAME_RATE_HZ)


def _split_at_jumps(rhythm: Rhythm, streams: FeatureStreams, frames: int) -> list[Stretch]:
    """Return the stretches of a steady song between which its bars move."""
    beats = (np.array(rhythm.beats_s) - _LATENCY_S) * FRAME_RATE_HZ
    jumps = find_jumps(streams, beats, rhythm.beats_per_bar or 4)
    period = float(np.median(np.diff(beats)))
    return Stretch(0, frames, period, float(beats[0])).split([round(beats[i]) for i in jumps])


def _one_rhythm(
    onsets: Onsets,
    tempi: Tempogram,
    harmony: Chroma,
    *,
    options: AnalysisOptions,
    sounding_s: tuple[float, float],
    pulse: Pulse,
) -> Rhythm:
    """Find the rhythm of a song whose tempo is constant or drifts."""
    scored = possible_meters(onsets, tempi, harmony, pulse=pulse, options=options)
    if not scored.meters:
        narrowed = _within_range(tempi, options.tempo_range_bpm)
        pulse = _pulse(onsets, narrowed, sounding_s) or pulse
        scored = possible_meters(onsets, narrowed, harmony, pulse=pulse, options=options)
    if not scored.meters:
        return Rhythm()
    share = meter_shares(scored, options)
    clicks = find_clicks(onsets)
    if clicks is not None:
        share = shares_among(share, clicks.agree(scored.meters, pulse.instants))
    best = scored.meters[int(share.argmax())]
    candidates = tempo_candidates(scored, share)
    beat_share, bar_share = shares_below(scored.meters, share)
    beats, bars = _times(pulse, best, onsets, sounding_s)
    if len(beats) < 2:
        return Rhythm()
    tempo_bpm, reliability = _tempo(beats, options), _reliability(pulse)
    return Rhythm(
        tempo_bpm=tempo_bpm,
        confidence=min(1.0, candidates[0].score) * reliability,
        beat_confidence=beat_share * reliability,
        bar_confidence=bar_share * beat_share * reliability,
        candidates=candidates,
        stable=pulse.steady,
        beats_s=tuple(beats.tolist()),
        downbeats_s=tuple(bars.tolist()),
        beats_per_bar=best.beats_per_bar,
        time_signature=time_signature(scored.streams, pulse.instants, best),
        stretches=(TempoStretch(float(beats[0]), float(beats[-1]), tempo_bpm, best.beats_per_bar),),
    )


def _parts(
    onsets: Onsets,
    harmony: Chroma,
    *,
    options: AnalysisOptions,
    sounding_s: tuple[float, float],
    stretches: Sequence[Stretch],
) -> list[Rhythm]:
    """Return the rhythms of the stretches, longest first; the longest decides the level.

    Silence at both ends of the song does not count.
    """

    def sounding(stretch: Stretch) -> float:
        start, stop = (at * FRAME_RATE_HZ for at in sounding_s)
        return min(stretch.stop, stop) - max(stretch.start, start)

    found: list[Rhythm] = []
    for stretch in sorted(stretches, key=sounding, reverse=True):
        start_s, stop_s = stretch.start / FRAME_RATE_HZ, stretch.stop / FRAME_RATE_HZ
        part = onsets.between(stretch.start, stretch.stop)
        chords = harmony.between(*(round(at * CHROMA_FRAME_RATE_HZ) for at in (start_s, stop_s)))
        tempi = tempogram(part.groups, FRAME_RATE_HZ)
        inside = max(0.0, sounding_s[0] - start_s), min(stop_s, sounding_s[1]) - start_s
        pulse = _pulse(part, tempi, inside)
        hinted = options if not found else _like(found[0], options, stretch)
        if pulse is None or _is_too_short(inside, hinted):
            continue
        rhythm = _one_rhythm(part, tempi, chords, options=hinted, sounding_s=inside, pulse=pulse)
        if rhythm.tempo_bpm is not None:
            found.append(rhythm.shifted(start_s))
    return found


def _like(first: Rhythm, options: AnalysisOptions, stretch: Stretch) -> AnalysisOptions:
    """Return the options that give a stretch of the same tempo the level and bars of the first."""
    if options.tempo_hint_bpm is not None or first.tempo_bpm is None:
        return options
    if not _is_simple(math.log2(stretch.period * first.tempo_bpm / 60 / FRAME_RATE_HZ)):
        return options
    return replace(options, tempo_hint_bpm=first.tempo_bpm, beats_per_bar=first.beats_per_bar)


def _is_simple(octaves: float) -> bool:
    """Return whether two tempi differ by a ratio such as 1, 2, 3/2 or 4/3."""
    return any(abs(octaves - math.log2(level)) < _SAME_OCTAVES for level in LEVELS)


def _of_parts(parts: Sequence[Rhythm]) -> Rhythm:
    """Return the rhythm of a song from those of its stretches, longest first."""
    if len(parts) == 1:
        return parts[0]
    ordered = sorted(parts, key=lambda one: one.beats_s[0])
    return replace(
        parts[0],
        stable=False,
        beats_s=tuple(at for one in ordered for at in one.beats_s),
        downbeats_s=tuple(at for one in ordered for at in one.downbeats_s),
        stretches=tuple(stretch for one in ordered for stretch in one.stretches),
    )


def _pulse(onsets: Onsets, tempi: Tempogram, sounding_s: tuple[float, float]) -> Pulse | None:
    """Find the pulse; a varying pulse is cut to the audible part of the song."""
    pulse = find_pulse(onsets, tempi)
    if pulse is None or pulse.steady:
        return pulse
    start, stop = (time_s * FRAME_RATE_HZ for time_s in sounding_s)
    inside = pulse.instants[(pulse.instants >= start - 1) & (pulse.instants <= stop + 1)]
    return replace(pulse, instants=inside) if len(inside) > 1 else None


def _is_too_short(sounding_s: tuple[float, float], options: AnalysisOptions) -> bool:
    """Return whether a slow song would have too few beats to score, leaving only fast tempi."""
    slowest_bpm = max(options.tempo_range_bpm[0], _SLOW_BPM)
    if options.tempo_hint_bpm is not None:
        slowest_bpm = options.tempo_hint_bpm
    return sounding_s[1] - sounding_s[0] < MIN_BEATS * 60 / slowest_bpm


def _tempo(beats_s: Array, options: AnalysisOptions) -> float:
    # The pulse of a varying tempo may lie in the range while the median of its beats does not.
    return float(np.clip(60 / np.median(np.diff(beats_s)), *options.tempo_range_bpm))


def _reliability(pulse: Pulse) -> float:
    """Return the reliability of a pulse by its strength, coherence and length, 0 to 1."""
    clarity = float(np.clip((pulse.strength - _FAINT) / (_STRONG - _FAINT), 0, 1))
    return clarity * min(1.0, pulse.coherence) * min(1.0, pulse.struck / _FULL_CONFIDENCE_STROKES)


def possible_meters(
    onsets: Onsets, tempi: Tempogram, harmony: Chroma, *, pulse: Pulse, options: AnalysisOptions
) -> ScoredMeters:
    """Return every level, phase and bar that the pulse may have, with the evidence for it."""
    strength = np.log(tempi.strength.mean(dim=-1).cpu().double().numpy() + 1e-9)
    bar = options.beats_per_bar
    return score_meters(
        feature_streams(onsets, harmony),
        pulse.instants,
        (tempi.tempi_bpm.cpu().double().numpy(), strength - strength.max()),
        tempo_range_bpm=options.tempo_range_bpm,
        beats_per_bar=BEATS_PER_BAR if bar is None else (bar,),
    )


def _within_range(tempi: Tempogram, tempo_range_bpm: tuple[float, float]) -> Tempogram:
    lowest, highest = tempo_range_bpm
    outside = (tempi.tempi_bpm < lowest) | (tempi.tempi_bpm > highest)
    return replace(tempi, strength=torch.where(outside[:, None], 0.0, tempi.strength))


def _times(
    pulse: Pulse, meter: Meter, onsets: Onsets, sounding_s: tuple[float, float]
) -> tuple[Array, Array]:
    """Return beats and downbeats in seconds within the audible part of the song."""
    index, at = _all_beats(pulse, meter.beats)
    times = (at + _offset(at, onsets)) / FRAME_RATE_HZ + _LATENCY_S
    inside = (times >= sounding_s[0] - _EDGE_S) & (times <= sounding_s[1])
    index, times = index[inside], np.maximum(times[inside], 0.0)
    return times, times[(index - meter.first) % meter.beats_per_bar == 0]


def _all_beats(pulse: Pulse, beats: Beats) -> tuple[Indices, Array]:
    # The pulse covers the song up to about a period on each side.
    reach = len(pulse.instants) + 2
    index = np.arange(int(-4 / beats.level) - 1, int(reach / beats.level) + 1)
    return index, instants(pulse.instants, beats.offset + index * beats.level)


def _offset(at: Array, onsets: Onsets) -> float:
    """Return the weighted median distance in frames of the accents from their beats.

    Beats between the instants of the pulse are rounded to twelfths of it, and off-beats may shift
    a line. Accents are not compressed. Onset strength rises as soon as the window touches a sound
    after silence, whereas accents peak equally late in sparse and in dense music.
    """
    strength = onsets.accents.mean(dim=-2).cpu().double().numpy()
    inside = at[(at >= 0) & (at <= len(strength) - 1)]
    peaks, height = nearest_onsets(strength, inside, _NEAR_FRAMES)
    order = np.argsort(peaks - inside)
    weight = np.cumsum(height[order])
    if len(weight) == 0 or weight[-1] <= 0:
        return 0.0
    return float((peaks - inside)[order][np.searchsorted(weight, weight[-1] / 2)])
