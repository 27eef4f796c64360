"""The form *sequence*: songs one after another, voices and all, with transitions between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.plan import Section
from mashup_worker.mixing.planning.arrangement import Arrangement, closed, length_note
from mashup_worker.mixing.planning.phrases import PHRASE_BARS, Phrase, fullest_run, phrases
from mashup_worker.mixing.planning.transitions import Stay, Turn, play

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mashup_worker.mixing.planning.tempo import Pace
    from mashup_worker.mixing.request import MixRequest
    from mashup_worker.mixing.song import MixSong

_PHRASES_UNASKED = 8


def arrange_sequence(
    songs: Sequence[MixSong], request: MixRequest, pace: Pace, semitones: Mapping[str, float]
) -> Arrangement:
    """Play the fullest phrases of each song, one song after another.

    The last phrases of a song and the first of the next share bars, and change places in the
    middle of them, so that phrases of both begin and end together.

    Raises:
        InvalidInput: a song has no whole bar.
    """
    vibe = request.figures
    transition = request.transition or vibe.transition
    bar_s = pace.bar_s
    shared = 0 if transition == "cut" else vibe.transition_bars
    runs = _runs(songs, pace, shared, request.length_s, bar_s)
    turns, at_bar = [], 0.0
    for index, (song, run) in enumerate(zip(songs, runs, strict=True)):
        factor = pace.factors[song.name]
        half_in = _half(runs, songs, pace, index, shared)
        half_out = _half(runs, songs, pace, index + 1, shared)
        from_bar = run[0].from_bar + half_in * factor
        bars = (run[-1].end_bar - run[0].from_bar) / factor - half_in - half_out
        stay = Stay(song, at_bar, bars, from_bar, factor, tuple(song.parts), semitones[song.name])
        turns.append(Turn(at_bar, bars, (stay,)))
        at_bar += bars
    clips = closed(play(turns, transition, shared), at_bar)
    sections = [
        Section(name=song.name, at_bar=turn.at_bar, bars=turn.bars)
        for song, turn in zip(songs, turns, strict=True)
    ]
    notes = length_note(
        request.length_s, at_bar * bar_s, "phrases stay whole, and each song plays what it has"
    )
    alone = tuple((song.name,) for song in songs)
    return Arrangement(round(at_bar), tuple(clips), tuple(sections), alone, notes)


def _runs(
    songs: Sequence[MixSong], pace: Pace, shared: int, length_s: float | None, bar_s: float
) -> list[tuple[Phrase, ...]]:
    """The phrases of each song; songs with fewer than their share leave the rest to others."""
    found = []
    for song in songs:
        of_song = phrases(song, pace.factors[song.name])
        if not of_song:
            raise InvalidInput(f"{song.name}: it is shorter than a bar")
        found.append(of_song)
    wanted = _PHRASES_UNASKED * len(songs)
    if length_s is not None:
        # Bars that two songs share pass once only.
        wanted = round((length_s / bar_s + shared * (len(songs) - 1)) / PHRASE_BARS)
    counts = [1] * len(songs)
    while sum(counts) < wanted:
        short = [index for index, one in enumerate(found) if counts[index] < len(one)]
        if not short:
            break
        counts[min(short, key=lambda index: counts[index])] += 1
    return [
        fullest_run(song, of_song, count)
        for song, of_song, count in zip(songs, found, counts, strict=True)
    ]


def _half(
    runs: Sequence[tuple[Phrase, ...]],
    songs: Sequence[MixSong],
    pace: Pace,
    index: int,
    shared: int,
) -> int:
    """Bars shared on either side of the border before a song, as far as both runs have them."""
    if not 0 < index < len(runs):
        return 0
    lengths = [
        (runs[one][-1].end_bar - runs[one][0].from_bar) / pace.factors[songs[one].name]
        for one in (index - 1, index)
    ]
    return min(shared // 2, int(min(lengths) // 4))
