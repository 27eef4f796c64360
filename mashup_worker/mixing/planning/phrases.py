"""Phrases of a song, and the selection of those that suit a mashup."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.mixing.song import BASS, DRUMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.mixing.song import MixSong

PHRASE_BARS = 4
"""Length of a phrase in bars of the mashup, where all songs play bar against bar."""

_MIN_SUNG_SHARE = 0.3
_FULL_BELOW_BEST_DB = -6.0
_POWER_WEIGHT = 1e-3


@dataclass(frozen=True)
class Phrase:
    """Consecutive bars of a song that stay together."""

    from_bar: float
    source_bars: float

    @property
    def end_bar(self) -> float:
        """Bar after the last."""
        return self.from_bar + self.source_bars

    def leads_to(self, other: Phrase) -> bool:
        """Return whether another phrase begins where this one ends."""
        return abs(self.end_bar - other.from_bar) < 1e-6


def find_phrases(song: MixSong, tempo_factor: float, bars: int = PHRASE_BARS) -> tuple[Phrase, ...]:
    """Return all whole phrases of a song, split where most stems enter or leave.

    A phrase has `bars` bars of the mashup, and `tempo_factor` times as many of the song.

    A song shorter than a phrase is one phrase.
    """
    size = bars * tempo_factor
    offsets = range(max(1, round(size)))
    first = max(offsets, key=lambda offset: (_changes_at_borders(song, offset, size), -offset))
    count = int((song.bars - first) // size)
    phrases = tuple(Phrase(first + index * size, size) for index in range(count))
    return phrases or ((Phrase(0, float(song.bars)),) if song.bars else ())


def sung_phrases(song: MixSong, kind: str, phrases: Sequence[Phrase]) -> tuple[Phrase, ...]:
    """Return the phrases in which a vocal stem plays for 30 % of the time or more."""
    return tuple(one for one in phrases if _playing_share(song, kind, one) >= _MIN_SUNG_SHARE)


def full_phrases(song: MixSong, phrases: Sequence[Phrase]) -> tuple[Phrase, ...]:
    """Return phrases within 6 dB of the loudest, with drums and bass if the song has both."""
    kinds = tuple(song.instruments)
    power = {one: song.power(kinds, one.from_bar, one.end_bar) for one in phrases}
    rhythm = [kind for kind in (DRUMS, BASS) if kind in kinds]
    complete = [
        one
        for one in phrases
        if all(song.is_playing(kind, one.from_bar, one.end_bar) for kind in rhythm)
    ]
    candidates = complete or list(phrases)
    floor = max((power[one] for one in candidates), default=0.0) * 10 ** (_FULL_BELOW_BEST_DB / 10)
    return tuple(one for one in candidates if power[one] >= floor)


def fullest_run(song: MixSong, phrases: Sequence[Phrase], count: int) -> tuple[Phrase, ...]:
    """Return the `count` consecutive phrases, or fewer, in which most stems play."""
    count = min(count, len(phrases))
    kinds = tuple(song.stems)

    def fullness(first: int) -> float:
        run = phrases[first : first + count]
        shares = [_playing_share(song, kind, one) for one in run for kind in kinds]
        power = song.power(kinds, run[0].from_bar, run[-1].end_bar)
        return sum(shares) / len(shares) + _POWER_WEIGHT * power

    starts = range(len(phrases) - count + 1)
    best = max(starts, key=lambda first: (fullness(first), -first))
    return tuple(phrases[best : best + count])


def _playing_share(song: MixSong, kind: str, phrase: Phrase) -> float:
    halves = max(1, round(2 * phrase.source_bars))
    step = phrase.source_bars / halves
    starts = [phrase.from_bar + index * step for index in range(halves)]
    return sum(song.is_playing(kind, start, start + step) for start in starts) / halves


def _changes_at_borders(song: MixSong, first: int, size: float) -> float:
    """Return how many stems enter or leave at the borders of phrases that start at a bar."""
    changes, bar = 0.0, float(first)
    while bar < song.bars:
        for kind in song.stems:
            before = song.is_playing(kind, bar - 1, bar)
            after = song.is_playing(kind, bar, bar + 1)
            changes += before != after
        bar += size
    return changes
