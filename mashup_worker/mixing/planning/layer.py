"""Arrangement of a layer: one song's vocals over the instruments of others."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.plan import Section
from mashup_worker.mixing.planning.arrangement import (
    Arrangement,
    fade_out_end,
    group_bands,
    length_note,
    open_filter,
)
from mashup_worker.mixing.planning.phrases import (
    PHRASE_BARS,
    Phrase,
    find_phrases,
    full_phrases,
    sung_phrases,
)
from mashup_worker.mixing.planning.transitions import Block, Placement, block_clips
from mashup_worker.mixing.planning.vocals import vocal_clips

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mashup_worker.mixing.planning.tempo import CommonTempo
    from mashup_worker.mixing.request import MixRequest
    from mashup_worker.mixing.song import MixSong

_MAX_DEFAULT_S = 240.0
_MIN_POWER_SHARE = 0.16
"""Lowest share of the instruments' power in a thinned phrase: 8 dB below all of them."""


@dataclass(frozen=True, kw_only=True)
class Slot:
    """Phrase of the mashup.

    Its role is `intro`, `vocals`, `break` or `outro`; `phrase` is sung, None where vocals rest;
    `density` is the share of the instruments that play.
    """

    role: str
    at_bar: float
    bars: float
    phrase: Phrase | None
    density: float

    @property
    def end_bar(self) -> float:
        """End in the mashup."""
        return self.at_bar + self.bars


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
    slots, notes = _slots(vocal_song, request, tempo)
    bars = math.ceil(slots[-1].end_bar - 1e-9)
    vibe = request.vibe_settings
    blocks = list(_blocks(backing_songs, slots, request, tempo, semitones))
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
        sections=_sections(slots),
        bands=tuple(tuple(song.name for song in band) for band in group_bands(backing_songs)),
        notes=(*notes, *length),
    )


def _slots(
    vocal_song: MixSong, request: MixRequest, tempo: CommonTempo
) -> tuple[list[Slot], tuple[str, ...]]:
    stem = vocal_song.vocals
    if stem is None:
        raise InvalidInput(f"{vocal_song.name}: no vocals; name a song that has some")
    factor = tempo.factors[vocal_song.name]
    phrases = sung_phrases(
        vocal_song, stem.kind, find_phrases(vocal_song, factor, tempo.phrase_bars)
    )
    if not phrases:
        raise InvalidInput(
            f"{vocal_song.name}: its vocals fill no phrase; name a song with more vocals"
        )
    size = phrases[0].source_bars / factor
    roles = _roles(request, len(phrases), size, tempo.bar_s)
    density = request.vibe_settings.density.at(request.intensity)
    intro = roles.count("intro")
    slots: list[Slot] = []
    sung = 0
    for index, role in enumerate(roles):
        slot_density, phrase = density, None
        if role == "vocals":
            slot_density, phrase = 1.0, phrases[sung % len(phrases)]
            sung += 1
        elif role == "intro":  # fills up from phrase to phrase
            slot_density = density + (1 - density) * index / intro
        slots.append(
            Slot(role=role, at_bar=index * size, bars=size, phrase=phrase, density=slot_density)
        )
    if sung <= len(phrases):
        return slots, ()
    count = "1 phrase" if len(phrases) == 1 else f"{len(phrases)} phrases"
    return slots, (f"{vocal_song.name}: its vocals have {count}, which repeat",)


def _roles(request: MixRequest, available: int, size: float, bar_s: float) -> list[str]:
    vibe, intensity = request.vibe_settings, request.intensity
    phrase_s = size * bar_s
    intro = max(1, round(vibe.intro_bars.at(intensity) / size))
    sung_in_a_row = round(vibe.break_every_phrases.at(intensity))
    if request.length_s is None:
        breaks = (available - 1) // sung_in_a_row if sung_in_a_row else 0
        body = min(available + breaks, max(1, int(_MAX_DEFAULT_S / phrase_s)))
        outro = 1
    else:
        total = max(1, round(request.length_s / phrase_s))
        intro = min(intro, total // 3)
        outro = 1 if total - intro >= 3 else 0
        body = total - intro - outro
    middle = [
        "break" if sung_in_a_row and (index + 1) % (sung_in_a_row + 1) == 0 else "vocals"
        for index in range(body)
    ]
    middle[-1] = "vocals"
    return ["intro"] * intro + middle + ["outro"] * outro


def _blocks(
    songs: Sequence[MixSong],
    slots: Sequence[Slot],
    request: MixRequest,
    tempo: CommonTempo,
    semitones: Mapping[str, float],
) -> Iterator[Block]:
    """Yield a block for each slot; bands share the mashup evenly, in whole phrases."""
    bands = group_bands(songs)
    edges = [round(index * len(slots) / len(bands)) for index in range(len(bands) + 1)]
    for band, first, last in zip(bands, edges, edges[1:], strict=False):
        pools = {song.name: _phrase_pool(song, tempo) for song in band}
        for place, slot in enumerate(slots[first:last]):
            at_edge = (place == 0 and first > 0, first + place == last - 1 and last < len(slots))
            chosen = {song.name: _choose(pools[song.name], place, song, at_edge) for song in band}
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
                placements += _looped(whole, pools[song.name][0].source_bars)
            yield Block(slot.at_bar, slot.bars, tuple(placements))


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


def _sections(slots: Sequence[Slot]) -> tuple[Section, ...]:
    sections: list[Section] = []
    for slot in slots:
        if sections and sections[-1].name == slot.role:
            last = sections.pop()
            sections.append(last.model_copy(update={"bars": last.bars + slot.bars}))
        else:
            sections.append(Section(name=slot.role, at_bar=slot.at_bar, bars=slot.bars))
    return tuple(sections)
