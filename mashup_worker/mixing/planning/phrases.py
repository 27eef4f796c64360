"""Phrases of a song: which of its bars belong together, and which of them can carry a mashup."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.mixing.song import BASS, DRUMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.mixing.song import MixSong

PHRASE_BARS = 4
"""Bars of the mashup that stay together; two make an eight, four a sixteen."""

_SUNG_SHARE = 0.3
_FULL_BELOW_BEST_DB = -6.0


@dataclass(frozen=True)
class Phrase:
    """Bars of a song that stay together.

    Attributes:
        from_bar: the first of them.
        source_bars: how many they are.
    """

    from_bar: float
    source_bars: float

    @property
    def end_bar(self) -> float:
        """The bar after the last."""
        return self.from_bar + self.source_bars

    def leads_to(self, other: Phrase) -> bool:
        """Whether the other begins where this one ends."""
        return abs(self.end_bar - other.from_bar) < 1e-6


def phrases(song: MixSong, bars_per_bar: float) -> tuple[Phrase, ...]:
    """All whole phrases of a song, cut where its music changes most.

    Args:
        song: the song.
        bars_per_bar: its bars a bar of the mashup.
    """
    size = PHRASE_BARS * bars_per_bar
    starts = range(max(1, round(size)))
    first = max(starts, key=lambda start: (_novelty(song, start, size), -start))
    count = int((song.bars - first) // size)
    found = tuple(Phrase(first + index * size, size) for index in range(count))
    # A loop that is shorter than a phrase is a phrase.
    return found or ((Phrase(0, float(song.bars)),) if song.bars else ())


def sung(song: MixSong, kind: str, all_phrases: Sequence[Phrase]) -> tuple[Phrase, ...]:
    """The phrases in which a voice sings, in their order."""
    return tuple(one for one in all_phrases if _sounding_share(song, kind, one) >= _SUNG_SHARE)


def carrying(song: MixSong, all_phrases: Sequence[Phrase]) -> tuple[Phrase, ...]:
    """The phrases that a voice can be laid over: those nearly as full as the fullest, in order."""
    kinds = tuple(song.instruments)
    power = {one: song.power(kinds, one.from_bar, one.end_bar) for one in all_phrases}
    core = [kind for kind in (DRUMS, BASS) if kind in kinds]
    full = [
        one for one in all_phrases if all(song.sounds(k, one.from_bar, one.end_bar) for k in core)
    ]
    candidates = full or list(all_phrases)
    floor = max((power[one] for one in candidates), default=0.0) * 10 ** (_FULL_BELOW_BEST_DB / 10)
    return tuple(one for one in candidates if power[one] >= floor)


def fullest_run(song: MixSong, all_phrases: Sequence[Phrase], count: int) -> tuple[Phrase, ...]:
    """So many phrases after one another, or all there are, where most of the song sounds."""
    count = min(count, len(all_phrases))
    kinds = tuple(song.parts)

    def fullness(first: int) -> float:
        run = all_phrases[first : first + count]
        shares = [_sounding_share(song, kind, one) for one in run for kind in kinds]
        power = song.power(kinds, run[0].from_bar, run[-1].end_bar)
        return sum(shares) / len(shares) + 1e-3 * power

    starts = range(len(all_phrases) - count + 1)
    best = max(starts, key=lambda first: (fullness(first), -first))
    return tuple(all_phrases[best : best + count])


def _sounding_share(song: MixSong, kind: str, phrase: Phrase) -> float:
    """Share of a phrase's half bars in which a part sounds."""
    halves = max(1, round(2 * phrase.source_bars))
    step = phrase.source_bars / halves
    starts = [phrase.from_bar + index * step for index in range(halves)]
    return sum(song.sounds(kind, start, start + step) for start in starts) / halves


def _novelty(song: MixSong, first: int, size: float) -> float:
    """How much the parts' levels change over phrase borders, for phrases that begin there."""
    change, bar = 0.0, float(first)
    while bar < song.bars:
        for kind in song.parts:
            before = song.sounds(kind, bar - 1, bar)
            after = song.sounds(kind, bar, bar + 1)
            change += before != after
        bar += size
    return change
