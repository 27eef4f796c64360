"""Arrangement of a layer: one song's vocals over the instruments of others."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.planning.arrangement import (
    Arrangement,
    fade_out_end,
    group_bands,
    length_note,
    open_filter,
)
from mashup_worker.mixing.planning.backing_choice import BackingChooser, Need
from mashup_worker.mixing.planning.phrases import PHRASE_BARS, find_phrases, full_phrases
from mashup_worker.mixing.planning.section_names import named_sections
from mashup_worker.mixing.planning.slots import plan_slots
from mashup_worker.mixing.planning.song_form import song_form
from mashup_worker.mixing.planning.transitions import Block, Placement, block_clips
from mashup_worker.mixing.planning.vocals import vocal_clips
from mashup_worker.mixing.song import DRUMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from mashup_worker.mixing.planning.backing_choice import Choice
    from mashup_worker.mixing.planning.phrases import Phrase
    from mashup_worker.mixing.planning.slots import Slot
    from mashup_worker.mixing.planning.song_form import SongForm
    from mashup_worker.mixing.planning.tempo import CommonTempo
    from mashup_worker.mixing.request import MixRequest
    from mashup_worker.mixing.song import MixSong

_MIN_POWER_SHARE = 0.16
"""Lowest share of the instruments' power in a thinned phrase: 8 dB below all of them."""


def arrange_layer(
    vocal_song: MixSong,
    backing_songs: Sequence[MixSong],
    request: MixRequest,
    *,
    tempo: CommonTempo,
    semitones: Mapping[str, float],
) -> Arrangement:
    """Arrange the phrases of one song's vocals over phrases of the backing songs.

    Backing songs play one after another, or together where they complement each other.

    Raises:
        InvalidInput: the vocals are silent, or a backing song has no phrase.
    """
    form = song_form(vocal_song)
    choosers = _choosers(vocal_song, form, backing_songs, tempo, semitones)
    suitability = _suitability(form, choosers.values())
    slots, notes = plan_slots(vocal_song, form, request, tempo, suitability)
    bars = math.ceil(slots[-1].end_bar - 1e-9)
    vibe = request.vibe_settings
    bands = group_bands(backing_songs)
    pairs = list(_blocks(bands, slots, request, tempo, semitones, choosers))
    blocks = [block for block, _ in pairs]
    shared_bars = min(vibe.transition_bars, PHRASE_BARS)
    backing = block_clips(blocks, request.transition or vibe.transition, shared_bars)
    intro_end = next((slot.at_bar for slot in slots if slot.role != "intro"), 0.0)
    opening_hz = vibe.opening_low_pass_hz.at(request.intensity)
    backing = fade_out_end(open_filter(backing, opening_hz, intro_end), bars)
    vocals = vocal_clips(
        vocal_song,
        [(slot.at_bar, slot.phrase) for slot in slots if slot.phrase is not None],
        tempo_factor=tempo.factors[vocal_song.name],
        semitones=semitones[vocal_song.name],
        bars=bars,
    )
    length = length_note(request.length_s, bars * tempo.bar_s, "phrases are not cut")
    return Arrangement(
        bars=bars,
        clips=(*vocals, *backing),
        sections=named_sections(vocal_song.name, slots, pairs),
        bands=tuple(tuple(song.name for song in band) for band in bands),
        notes=(*notes, *length),
    )


def _blocks(
    bands: Sequence[tuple[MixSong, ...]],
    slots: Sequence[Slot],
    request: MixRequest,
    tempo: CommonTempo,
    semitones: Mapping[str, float],
    choosers: Mapping[str, BackingChooser],
) -> Iterator[tuple[Block, Choice | None]]:
    """Yield a block for each slot, and why its bars were chosen where that is known.

    Bands share the mashup evenly, in whole phrases.
    """
    edges = [round(index * len(slots) / len(bands)) for index in range(len(bands) + 1)]
    for band, first, last in zip(bands, edges, edges[1:], strict=False):
        part = slots[first:last]
        at_edge = [
            (place == 0 and first > 0, place == len(part) - 1 and last < len(slots))
            for place in range(len(part))
        ]
        choices = {
            song.name: choosers[song.name].choose(_needs(part, at_edge))
            for song in band
            if song.name in choosers and part
        }
        pools = {song.name: _phrase_pool(song, tempo) for song in band if song.name not in choices}
        for place, slot in enumerate(part):
            chosen = {
                song.name: choices[song.name][place].phrase
                if song.name in choices
                else _choose(pools[song.name], place, song, at_edge[place])
                for song in band
            }
            kinds = _thinned(band, chosen, slot.density, request.vibe_settings.thin_order)
            placements: list[Placement] = []
            for song in band:
                whole = Placement(
                    song=song,
                    at_bar=slot.at_bar,
                    bars=slot.bars,
                    from_bar=chosen[song.name].from_bar,
                    tempo_factor=tempo.factors[song.name],
                    kinds=tuple(kind for kind in song.instruments if kind in kinds),
                    semitones=semitones[song.name],
                )
                placements += _looped(whole, chosen[song.name].source_bars)
            why = [choices[song.name][place] for song in band if song.name in choices]
            pitched = [one for one in why if one.agreement is not None]
            yield (
                Block(slot.at_bar, slot.bars, tuple(placements)),
                next(iter([*pitched, *why]), None),
            )


def _needs(slots: Sequence[Slot], at_edge: Sequence[tuple[bool, bool]]) -> list[Need]:
    return [
        Need(slot.role, slot.phrase, slot.section, slot.turns, before=before, after=after)
        for slot, (before, after) in zip(slots, at_edge, strict=True)
    ]


def _choosers(
    vocal_song: MixSong,
    vocals: SongForm | None,
    backing_songs: Sequence[MixSong],
    tempo: CommonTempo,
    semitones: Mapping[str, float],
) -> dict[str, BackingChooser]:
    """Return the choosers of the songs whose form is known and holds a phrase of whole bars."""
    found = {}
    for song in backing_songs:
        form, size = song_form(song), tempo.phrase_bars * tempo.factors[song.name]
        if form is None or abs(size - round(size)) > 1e-6 or not 0 < round(size) <= form.bars:
            continue
        shift = round(semitones[vocal_song.name] - semitones[song.name])
        pitched = any(kind != DRUMS for kind in song.instruments)
        found[song.name] = BackingChooser(
            song=song,
            form=form,
            vocals=vocals,
            source_bars=round(size),
            shift=shift if pitched else None,
        )
    return found


def _suitability(
    form: SongForm | None, choosers: Iterable[BackingChooser]
) -> Callable[[Sequence[Phrase]], list[float]] | None:
    """Return how well the first backing song with pitch can suit phrases, if that is known."""
    chooser = next((one for one in choosers if one.shift is not None), None)
    if chooser is None or form is None:
        return None

    def suits(phrases: Sequence[Phrase]) -> list[float]:
        return chooser.best_scores(
            [
                Need("vocals", one, form.section_of(one.from_bar, one.source_bars), turns=False)
                for one in phrases
            ]
        )

    return suits


def _phrase_pool(song: MixSong, tempo: CommonTempo) -> tuple[Phrase, ...]:
    factor = tempo.factors[song.name]
    pool = full_phrases(song, find_phrases(song, factor, tempo.phrase_bars))
    if not pool:
        raise InvalidInput(f"{song.name}: shorter than a bar; name a longer song")
    return pool


def _choose(
    pool: Sequence[Phrase], place: int, song: MixSong, at_edge: tuple[bool, bool]
) -> Phrase:
    """Return the next phrase in rotation; at an edge, with music beyond it for a transition."""
    in_turn = [pool[(place + index) % len(pool)] for index in range(len(pool))]
    first, last = at_edge

    def has_room(phrase: Phrase) -> bool:
        half = phrase.source_bars / 2
        before = not first or phrase.from_bar >= half
        return before and (not last or phrase.end_bar + half <= song.bars)

    return next(filter(has_room, in_turn), in_turn[0])


def _looped(whole: Placement, loop_bars: float) -> Iterator[Placement]:
    step, at_bar = loop_bars / whole.tempo_factor, whole.at_bar
    while at_bar < whole.end_bar - 1e-9:
        bars = min(step, whole.end_bar - at_bar)
        yield replace(whole, at_bar=at_bar, bars=bars)
        at_bar += bars


def _thinned(
    band: Sequence[MixSong], chosen: Mapping[str, Phrase], density: float, order: Sequence[str]
) -> frozenset[str]:
    """Return the kinds that play at a density, or more where they hold too little of the power."""
    powers = {
        kind: song.power((kind,), chosen[song.name].from_bar, chosen[song.name].end_bar)
        for song in band
        for kind in song.instruments
    }
    ranked = sorted(powers, key=lambda kind: order.index(kind) if kind in order else len(order))
    count = max(1, round(density * len(ranked)))
    min_power = _MIN_POWER_SHARE * sum(powers.values())
    kinds: list[str] = []
    for kind in ranked:
        if len(kinds) >= count and sum(powers[one] for one in kinds) >= min_power:
            break
        kinds.append(kind)
    return frozenset(kinds)
