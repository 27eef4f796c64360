"""Clips of vocals: phrases with their upbeats and final tones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mashup_worker.mixing.plan import Clip
from mashup_worker.mixing.planning.voice_edges import VoiceEdge, voice_edge
from mashup_worker.mixing.song import source_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.mixing.planning.phrases import Phrase
    from mashup_worker.mixing.song import MixSong

    PlacedPhrase = tuple[float, Phrase]
    """Bar of the mashup, and the phrase that begins there."""

_PICKUP_BARS, _TAIL_BARS, _LAST_TAIL_BARS = 1.0, 1.0, 2.0
_GUESSED_TAIL_BARS = 0.5
_CUT_FADE_BARS = 0.125
"""Fade of vocals that are cut while they sing."""


def vocal_clips(
    song: MixSong,
    placed: Sequence[PlacedPhrase],
    *,
    tempo_factor: float,
    semitones: float,
    bars: float,
) -> list[Clip]:
    """Return the clips of a song's vocals.

    `placed` are bars of the mashup in ascending order, each with the phrase that is sung there.
    Phrases that are consecutive in the song and in the mashup form one clip. A clip begins up to a
    bar early and ends up to a bar late, the last one two, where the vocals sing there and the
    mashup has room; without known times of singing, half a bar late.
    """
    stem = song.vocals
    if stem is None:
        return []
    runs = _runs(placed, tempo_factor)
    clips = []
    free_from = 0.0
    for index, run in enumerate(runs):
        (at_bar, first), (_, last) = run[0], run[-1]
        end_bar = at_bar + (last.end_bar - first.from_bar) / tempo_factor
        is_last = index + 1 == len(runs)
        next_bar = bars if is_last else runs[index + 1][0][0]
        entry = _edge(song, first.from_bar, -1, tempo_factor, min(_PICKUP_BARS, at_bar - free_from))
        tail = _LAST_TAIL_BARS if is_last else _TAIL_BARS
        exit_ = _edge(song, last.end_bar, 1, tempo_factor, min(tail, next_bar - end_bar))
        early, late = entry.beyond_bars / tempo_factor, exit_.beyond_bars / tempo_factor
        length = early + end_bar - at_bar + late
        clips.append(
            Clip(
                source=source_name(song, stem.kind),
                at_bar=at_bar - early,
                bars=length,
                from_bar=first.from_bar - early * tempo_factor,
                source_bars=length * tempo_factor,
                semitones=semitones,
                fade_in_bars=_CUT_FADE_BARS if entry.is_cut else 0.0,
                fade_out_bars=_CUT_FADE_BARS if exit_.is_cut else 0.0,
            )
        )
        free_from = end_bar + late
    return clips


def _edge(
    song: MixSong, bar: float, direction: int, tempo_factor: float, room_bars: float
) -> VoiceEdge:
    """Return the edge of a clip that should end (1) or begin (-1) at a bar of the song.

    `room_bars` are the bars of the mashup into which it may extend.
    """
    stem = song.vocals
    assert stem is not None, "the caller has asked"  # noqa: S101
    if song.analysis.singing_known:
        return voice_edge(song, stem.kind, bar, direction, room_bars * tempo_factor)
    if direction > 0:
        room_bars = min(room_bars, _GUESSED_TAIL_BARS)
    reached = min(_sung_beyond(song, stem.kind, bar, direction, tempo_factor), room_bars)
    stop = bar + reached * tempo_factor
    is_cut = direction > 0 and song.is_playing(
        stem.kind, stop - _CUT_FADE_BARS * tempo_factor, stop
    )
    return VoiceEdge(reached * tempo_factor, is_cut)


def _runs(placed: Sequence[PlacedPhrase], tempo_factor: float) -> list[list[PlacedPhrase]]:
    runs: list[list[PlacedPhrase]] = []
    for at_bar, phrase in placed:
        if runs:
            last_bar, last = runs[-1][-1]
            is_adjacent = abs(last_bar + last.source_bars / tempo_factor - at_bar) < 1e-6
            if is_adjacent and last.leads_to(phrase):
                runs[-1].append((at_bar, phrase))
                continue
        runs.append([(at_bar, phrase)])
    return runs


def _sung_beyond(
    song: MixSong, kind: str, bar: float, direction: int, tempo_factor: float
) -> float:
    """Return for how many bars of the mashup vocals sing after (1) or before (-1) a bar."""
    step = 1.0 / song.grid.beats_per_bar
    reached = 0.0
    while reached < _PICKUP_BARS * tempo_factor:
        edges = sorted((bar + direction * reached, bar + direction * (reached + step)))
        if edges[0] < 0 or not song.is_playing(kind, *edges):
            break
        reached += step
    return reached / tempo_factor
