"""Tempo, beats and bars of a song: the pulse, the metre that fits it best, and its times."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from mashup_worker.analysis.feature_streams import streams
from mashup_worker.analysis.meter import FEWEST_BEATS, Beats, Metre, Weighed, instants, weigh
from mashup_worker.analysis.onsets import FRAME_RATE_HZ
from mashup_worker.analysis.pulse import Pulse, find_pulse
from mashup_worker.analysis.result import AnalysisOptions, TempoCandidate
from mashup_worker.analysis.tempo_lines import nearest_onsets
from mashup_worker.analysis.weights import metre_scores

if TYPE_CHECKING:
    from mashup_worker.analysis.arrays import Array, Indices
    from mashup_worker.analysis.chroma import Chroma
    from mashup_worker.analysis.onsets import Onsets
    from mashup_worker.analysis.tempogram import Tempogram

_LATENCY_S = 0.005
"""How much earlier than a sound's start its accent has its peak: the window hears it coming."""

_HINT_OCTAVES = 0.12
_CANDIDATES = 5
_FAINT, _STRONG = 0.3, 1.2
_ENOUGH_STRUCK = 32
_SLOW_BPM = 80.0
_NEAR_FRAMES = 4.0
_EDGE_S = 0.05
"""A first beat may lie this far before the sound: its onset is heard a little late."""


@dataclass(frozen=True, eq=False)
class Rhythm:
    """Tempo, beats and bars. What can't be told is None, or empty.

    Attributes:
        tempo_bpm: beats a minute; the median where the tempo is not stable.
        confidence: 0 to 1.
        candidates: likely tempi, best first.
        stable: whether one tempo fits all beats.
        beats_s: times of beats, rising.
        downbeats_s: those of them that begin a bar.
        beats_per_bar: 3 or 4.
    """

    tempo_bpm: float | None = None
    confidence: float = 0.0
    candidates: tuple[TempoCandidate, ...] = ()
    stable: bool | None = None
    beats_s: tuple[float, ...] = ()
    downbeats_s: tuple[float, ...] = ()
    beats_per_bar: int | None = None

    def later(self, shift_s: float) -> Rhythm:
        """The same, all times later."""
        beats, bars = (
            tuple(time_s + shift_s for time_s in times)
            for times in (self.beats_s, self.downbeats_s)
        )
        return replace(self, beats_s=beats, downbeats_s=bars)


def find_rhythm(
    heard: Onsets,
    tempi: Tempogram,
    harmony: Chroma,
    options: AnalysisOptions,
    sounding_s: tuple[float, float],
) -> Rhythm:
    """Rhythm of one song, from features without batch axes.

    Args:
        heard: onsets of what carries the rhythm.
        tempi: their tempogram.
        harmony: chroma of what carries the harmony.
        options: what is known beforehand.
        sounding_s: when the song begins and ends; there are no beats outside.
    """
    pulse = _pulse(heard, tempi, sounding_s)
    if pulse is None or _is_too_short(sounding_s, options):
        return Rhythm()
    weighed = weigh_metres(heard, tempi, harmony, pulse, options)
    if not weighed.metres:
        narrowed = _within_range(tempi, options.tempo_range_bpm)
        pulse = _pulse(heard, narrowed, sounding_s) or pulse
        weighed = weigh_metres(heard, narrowed, harmony, pulse, options)
    if not weighed.metres:
        return Rhythm()
    share = _shares(weighed, options)
    best = weighed.metres[int(share.argmax())]
    candidates = _tempo_candidates(weighed, share)
    beats, bars = _times(pulse, best, heard, sounding_s)
    if len(beats) < 2:
        return Rhythm()
    return Rhythm(
        tempo_bpm=_tempo(beats, options),
        confidence=min(1.0, candidates[0].score) * _trust(pulse),
        candidates=candidates,
        stable=pulse.steady,
        beats_s=tuple(beats.tolist()),
        downbeats_s=tuple(bars.tolist()),
        beats_per_bar=best.beats_per_bar,
    )


def _pulse(heard: Onsets, tempi: Tempogram, sounding_s: tuple[float, float]) -> Pulse | None:
    """The pulse; where it wanders, without what it does in the silence before and after."""
    pulse = find_pulse(heard, tempi)
    if pulse is None or pulse.steady:
        return pulse
    start, stop = (time_s * FRAME_RATE_HZ for time_s in sounding_s)
    inside = pulse.instants[(pulse.instants >= start - 1) & (pulse.instants <= stop + 1)]
    return replace(pulse, instants=inside) if len(inside) > 1 else None


def _is_too_short(sounding_s: tuple[float, float], options: AnalysisOptions) -> bool:
    """Whether a slow song would have too few beats to weigh, and only fast tempi be left."""
    slowest_bpm = max(options.tempo_range_bpm[0], _SLOW_BPM)
    if options.tempo_hint_bpm is not None:
        slowest_bpm = options.tempo_hint_bpm
    return sounding_s[1] - sounding_s[0] < FEWEST_BEATS * 60 / slowest_bpm


def _tempo(beats_s: Array, options: AnalysisOptions) -> float:
    # A wandering tempo may lie in the range by its pulse and slightly out of it by its beats.
    return float(np.clip(60 / np.median(np.diff(beats_s)), *options.tempo_range_bpm))


def _trust(pulse: Pulse) -> float:
    """How far a tempo can be trusted at all: by its strength, its evenness, and its length."""
    clarity = float(np.clip((pulse.strength - _FAINT) / (_STRONG - _FAINT), 0, 1))
    return clarity * min(1.0, pulse.coherence) * min(1.0, pulse.struck / _ENOUGH_STRUCK)


def weigh_metres(
    heard: Onsets, tempi: Tempogram, harmony: Chroma, pulse: Pulse, options: AnalysisOptions
) -> Weighed:
    """The evidence for every level, phase and bar that the pulse may have."""
    felt = np.log(tempi.strength.mean(dim=-1).cpu().double().numpy() + 1e-9)
    return weigh(
        streams(heard, harmony),
        pulse.instants,
        (tempi.tempi_bpm.cpu().double().numpy(), felt - felt.max()),
        options.tempo_range_bpm,
        (3, 4) if options.beats_per_bar is None else (options.beats_per_bar,),
    )


def _within_range(tempi: Tempogram, tempo_range_bpm: tuple[float, float]) -> Tempogram:
    lowest, highest = tempo_range_bpm
    outside = (tempi.tempi_bpm < lowest) | (tempi.tempi_bpm > highest)
    return replace(tempi, strength=torch.where(outside[:, None], 0.0, tempi.strength))


def _shares(weighed: Weighed, options: AnalysisOptions) -> Array:
    """How likely each hypothesis is, adding up to 1."""
    scores = metre_scores(weighed.evidence)
    if options.tempo_hint_bpm is not None:
        tempi = np.array([metre.beats.tempo_bpm for metre in weighed.metres])
        octaves = np.log2(tempi / options.tempo_hint_bpm)
        scores = scores - 0.5 * np.square(octaves / _HINT_OCTAVES)
    share = np.exp(scores - scores.max())
    return np.asarray(share / share.sum())


def _tempo_candidates(weighed: Weighed, share: Array) -> tuple[TempoCandidate, ...]:
    total: dict[float, float] = {}
    for metre, part in zip(weighed.metres, share, strict=True):
        tempo_bpm = metre.beats.tempo_bpm
        total[tempo_bpm] = total.get(tempo_bpm, 0.0) + float(part)
    # The tempo of the best hypothesis leads, even where another has more hypotheses behind it.
    leading = weighed.metres[int(share.argmax())].beats.tempo_bpm
    order = sorted(total, key=lambda tempo_bpm: (tempo_bpm != leading, -total[tempo_bpm]))
    return tuple(TempoCandidate(tempo_bpm, total[tempo_bpm]) for tempo_bpm in order[:_CANDIDATES])


def _times(
    pulse: Pulse, metre: Metre, heard: Onsets, sounding_s: tuple[float, float]
) -> tuple[Array, Array]:
    """Beats and downbeats in seconds, as long as the song sounds."""
    index, at = _all_beats(pulse, metre.beats)
    times = (at + _offset(at, heard)) / FRAME_RATE_HZ + _LATENCY_S
    inside = (times >= sounding_s[0] - _EDGE_S) & (times <= sounding_s[1])
    index, times = index[inside], np.maximum(times[inside], 0.0)
    return times, times[(index - metre.first) % metre.beats_per_bar == 0]


def _all_beats(pulse: Pulse, beats: Beats) -> tuple[Indices, Array]:
    # The pulse covers the song, give or take a period on either side of it.
    reach = len(pulse.instants) + 2
    index = np.arange(int(-4 / beats.level) - 1, int(reach / beats.level) + 1)
    return index, instants(pulse.instants, beats.offset + index * beats.level)


def _offset(at: Array, heard: Onsets) -> float:
    """By how many frames the accents on the beats lie off them, in the middle of all.

    Beats between the instants of the pulse lie on twelfths of it, and off-beats may pull a line.
    Accents are not compressed: unlike onset strength, which rises as soon as the window touches a
    sound that follows silence, they peak equally late in dry and in dense music.
    """
    strength = heard.accents.mean(dim=-2).cpu().double().numpy()
    inside = at[(at >= 0) & (at <= len(strength) - 1)]
    onsets, height = nearest_onsets(strength, inside, _NEAR_FRAMES)
    order = np.argsort(onsets - inside)
    weight = np.cumsum(height[order])
    if len(weight) == 0 or weight[-1] <= 0:
        return 0.0
    return float((onsets - inside)[order][np.searchsorted(weight, weight[-1] / 2)])
