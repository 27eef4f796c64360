"""Arrangement of a sequence: whole songs one after another, with transitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.plan import Section
from mashup_worker.mixing.planning.arrangement import Arrangement, fade_out_end, length_note
from mashup_worker.mixing.planning.form_phrases import formed_run
from mashup_worker.mixing.planning.phrases import Phrase, find_phrases, fullest_run
from mashup_worker.mixing.planning.section_names import parts_of
from mashup_worker.mixing.planning.song_form import song_form
from mashup_worker.mixing.planning.transitions import Block, Placement, block_clips

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mashup_worker.mixing.planning.tempo import CommonTempo
    from mashup_worker.mixing.request import MixRequest
    from mashup_worker.mixing.song import MixSong

_DEFAULT_PHRASES, _SHORT_PHRASES = 8, 2
"""Phrases that a song plays where no length is requested, and in a medley."""


def arrange_sequence(
    songs: Sequence[MixSong],
    request: MixRequest,
    tempo: CommonTempo,
    *,
    semitones: Mapping[str, float],
    short: bool = False,
) -> Arrangement:
    """Arrange the fullest phrases of each song, one song after another.

    The end of a song and the beginning of the next share bars, with the change of songs in the
    middle, so that the phrases of both are aligned. Songs of different tempo share none. Where the
    form of a song is known, songs change at its sections. `short` takes two phrases of each song
    instead of eight where no length is requested, of its choruses where they are known.

    Raises:
        InvalidInput: a song is shorter than a bar.
    """
    vibe = request.vibe_settings
    transition = request.transition or vibe.transition
    shared_bars = 0 if transition == "cut" else vibe.transition_bars
    runs = _runs(songs, tempo, shared_bars, request.length_s, short=short)
    lengths = [
        (run[-1].end_bar - run[0].from_bar) / tempo.factors[song.name]
        for song, run in zip(songs, runs, strict=True)
    ]
    blocks: list[Block] = []
    at_bar = 0.0
    for index, (song, run) in enumerate(zip(songs, runs, strict=True)):
        factor = tempo.factors[song.name]
        half_in, half_out = (
            _half_overlap(songs, lengths, change, shared_bars, tempo)
            for change in (index, index + 1)
        )
        placement = Placement(
            song=song,
            at_bar=at_bar,
            bars=lengths[index] - half_in - half_out,
            from_bar=run[0].from_bar + half_in * factor,
            tempo_factor=factor,
            kinds=tuple(song.stems),
            semitones=semitones[song.name],
        )
        blocks.append(Block(at_bar, placement.bars, (placement,), tempo.bpm_of(song.name)))
        at_bar = placement.end_bar
    clips = fade_out_end(block_clips(blocks, transition, shared_bars), at_bar)
    sections = [
        Section(
            name=song.name,
            at_bar=block.at_bar,
            bars=block.bars,
            why=parts_of(song_form(song), block),
        )
        for song, block in zip(songs, blocks, strict=True)
    ]
    reason = "phrases are not cut, and songs do not repeat"
    played_s = sum(
        block.bars * tempo.bar_s_of(song.name) for song, block in zip(songs, blocks, strict=True)
    )
    return Arrangement(
        bars=round(at_bar),
        clips=tuple(clips),
        sections=tuple(sections),
        bands=tuple((song.name,) for song in songs),
        notes=length_note(request.length_s, played_s, reason),
        tempo_changes=tuple(
            (after.at_bar, tempo.bpm_of(song.name))
            for song, before, after in zip(songs[1:], blocks, blocks[1:], strict=False)
            if before.tempo_bpm != after.tempo_bpm
        ),
    )


def _runs(
    songs: Sequence[MixSong],
    tempo: CommonTempo,
    shared_bars: int,
    length_s: float | None,
    *,
    short: bool,
) -> list[tuple[Phrase, ...]]:
    """Return the phrases of each song; songs with few phrases leave the rest to others."""
    phrases = []
    for song in songs:
        of_song = find_phrases(song, tempo.factors[song.name], tempo.phrase_bars)
        if not of_song:
            raise InvalidInput(f"{song.name}: shorter than a bar; name a longer song")
        phrases.append(of_song)
    total = (_SHORT_PHRASES if short else _DEFAULT_PHRASES) * len(songs)
    if length_s is not None:
        bar_s = sum(tempo.bar_s_of(song.name) for song in songs) / len(songs)
        bars = length_s / bar_s + shared_bars * (len(songs) - 1)  # shared bars play once
        total = round(bars / tempo.phrase_bars)
    counts = [1] * len(songs)
    while sum(counts) < total:
        remaining = [index for index, one in enumerate(phrases) if counts[index] < len(one)]
        if not remaining:
            break
        counts[min(remaining, key=lambda index: counts[index])] += 1
    found = []
    for index, (song, of_song, count) in enumerate(zip(songs, phrases, counts, strict=True)):
        half = shared_bars // 2
        around = half if index else 0, half if index + 1 < len(songs) else 0
        found.append(
            formed_run(song, song_form(song), of_song, count, around, peak=short)
            or fullest_run(song, of_song, count)
        )
    return found


def _half_overlap(
    songs: Sequence[MixSong],
    lengths: Sequence[float],
    index: int,
    shared_bars: int,
    tempo: CommonTempo,
) -> int:
    """Return the bars shared on each side of the change to a song: a quarter of either at most."""
    if not 0 < index < len(lengths):
        return 0
    if tempo.bpm_of(songs[index - 1].name) != tempo.bpm_of(songs[index].name):
        return 0
    return min(shared_bars // 2, int(min(lengths[index - 1 : index + 1]) // 4))
