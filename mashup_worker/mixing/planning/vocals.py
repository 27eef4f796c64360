"""Clips of a voice: phrases with the upbeat that leads into them and the tone that rings out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mashup_worker.mixing.plan import Clip
from mashup_worker.mixing.song import source_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.mixing.planning.phrases import Phrase
    from mashup_worker.mixing.song import MixSong

_PICKUP_BARS, _TAIL_BARS = 1.0, 0.5
_CUT_FADE_BARS = 0.125
"""Of a voice that still sings where it has to stop."""


def singing(
    singer: MixSong,
    phrases_at: Sequence[tuple[float, Phrase]],
    factor: float,
    semitones: float,
    bars: float,
) -> list[Clip]:
    """Clips of a song's voice.

    Phrases that follow each other in the song and in the mashup stay together. Before each run of
    them the voice may begin up to a bar early, and ring on for half a bar after it, where it sings
    there and nothing of it is in the way.

    Args:
        singer: the song.
        phrases_at: bars of the mashup, rising, with the phrase that is sung there.
        factor: bars of the song a bar of the mashup.
        semitones: how far its pitch moves.
        bars: length of the mashup.
    """
    voice = singer.vocals
    if voice is None:
        return []
    runs: list[list[tuple[float, Phrase]]] = []
    for at_bar, phrase in phrases_at:
        if runs and _continues(runs[-1][-1], (at_bar, phrase), factor):
            runs[-1].append((at_bar, phrase))
        else:
            runs.append([(at_bar, phrase)])
    clips = []
    free_from = 0.0
    for index, run in enumerate(runs):
        (at_bar, first), (_, last) = run[0], run[-1]
        end_bar = at_bar + (last.end_bar - first.from_bar) / factor
        next_bar = runs[index + 1][0][0] if index + 1 < len(runs) else bars
        early = _reach(singer, voice.kind, first.from_bar, -1, factor)
        early = min(early, _PICKUP_BARS, at_bar - free_from)
        late = _reach(singer, voice.kind, last.end_bar, 1, factor)
        late = min(late, _TAIL_BARS, next_bar - end_bar)
        cut = singer.sounds(
            voice.kind, last.end_bar + (late - 0.125) * factor, last.end_bar + late * factor
        )
        length = early + end_bar - at_bar + late
        clips.append(
            Clip(
                source=source_name(singer, voice.kind),
                at_bar=at_bar - early,
                bars=length,
                from_bar=first.from_bar - early * factor,
                source_bars=length * factor,
                semitones=semitones,
                fade_out_bars=_CUT_FADE_BARS if cut else 0.0,
            )
        )
        free_from = end_bar + late
    return clips


def _continues(last: tuple[float, Phrase], following: tuple[float, Phrase], factor: float) -> bool:
    (at_bar, phrase), (next_bar, next_phrase) = last, following
    adjacent = abs(at_bar + phrase.source_bars / factor - next_bar) < 1e-6
    return adjacent and phrase.leads_to(next_phrase)


def _reach(singer: MixSong, kind: str, bar: float, way: int, factor: float) -> float:
    """Bars of the mashup, in beats, for which a voice sings on beyond a bar of its song."""
    step = 1.0 / singer.grid.beats_per_bar
    reached = 0.0
    while reached < _PICKUP_BARS * factor:
        edge = bar + way * reached
        if edge + way * step < 0 or not singer.sounds(
            kind, min(edge, edge + way * step), max(edge, edge + way * step)
        ):
            break
        reached += step
    return reached / factor
