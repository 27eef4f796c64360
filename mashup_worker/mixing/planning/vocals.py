"""Clips of vocals: phrases with their upbeats and final tones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mashup_worker.mixing.plan import Clip
from mashup_worker.mixing.song import source_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.mixing.planning.phrases import Phrase
    from mashup_worker.mixing.song import MixSong

    PlacedPhrase = tuple[float, Phrase]
    """Bar of the mashup, and the phrase that begins there."""

_PICKUP_BARS, _TAIL_BARS = 1.0, 0.5
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
    bar early and ends up to half a bar late where the vocals sing there and the mashup has room.
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
        next_bar = runs[index + 1][0][0] if index + 1 < len(runs) else bars
        early = _sung_beyond(song, stem.kind, first.from_bar, -1, tempo_factor)
        early = min(early, _PICKUP_BARS, at_bar - free_from)
        late = _sung_beyond(song, stem.kind, last.end_bar, 1, tempo_factor)
        late = min(late, _TAIL_BARS, next_bar - end_bar)
        clip_end = last.end_bar + late * tempo_factor
        is_cut = song.is_playing(stem.kind, clip_end - _CUT_FADE_BARS * tempo_factor, clip_end)
        length = early + end_bar - at_bar + late
        clips.append(
            Clip(
                source=source_name(song, stem.kind),
                at_bar=at_bar - early,
                bars=length,
                from_bar=first.from_bar - early * tempo_factor,
                source_bars=length * tempo_factor,
                semitones=semitones,
                fade_out_bars=_CUT_FADE_BARS if is_cut else 0.0,
            )
        )
        free_from = end_bar + late
    return clips


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
