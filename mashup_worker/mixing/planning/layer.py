"""The form *layer*: one song's voice over the instruments of others."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.plan import Section
from mashup_worker.mixing.planning.arrangement import (
    Arrangement,
    bands,
    closed,
    length_note,
    opened,
)
from mashup_worker.mixing.planning.phrases import PHRASE_BARS, Phrase, carrying, phrases, sung
from mashup_worker.mixing.planning.transitions import Stay, Turn, play
from mashup_worker.mixing.planning.vocals import singing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mashup_worker.mixing.planning.tempo import Pace
    from mashup_worker.mixing.request import MixRequest
    from mashup_worker.mixing.song import MixSong

_LONGEST_UNASKED_S = 240.0
_LEAST_POWER_SHARE = 0.16
"""8 dB below all of them."""


@dataclass(frozen=True)
class Slot:
    """A phrase of the mashup.

    Attributes:
        role: `intro`, `voice`, `break` or `outro`.
        at_bar: where it begins.
        bars: how long it is.
        phrase: what the voice sings in it; None where it rests.
        share: how many of the instruments play in it.
    """

    role: str
    at_bar: float
    bars: float
    phrase: Phrase | None = None
    share: float = 1.0

    @property
    def end_bar(self) -> float:
        """Where it ends."""
        return self.at_bar + self.bars


def arrange_layer(
    singer: MixSong,
    hosts: Sequence[MixSong],
    request: MixRequest,
    pace: Pace,
    semitones: Mapping[str, float],
) -> Arrangement:
    """Lay the singer's phrases over the hosts'.

    Args:
        singer: the song whose voice is taken.
        hosts: the songs whose instruments are taken: in turns, or together where they complete
            each other.
        request: how the mashup should be.
        pace: the common tempo.
        semitones: how far each song's pitch moves, by its name.

    Raises:
        InvalidInput: nobody sings, or a host has no bar that could be played.
    """
    bar_s = pace.bar_s
    slots, notes = _slots(singer, request, pace, bar_s)
    bars = math.ceil(slots[-1].end_bar - 1e-9)
    vibe = request.figures
    turns = list(_turns(hosts, slots, request, pace, semitones))
    shared = min(vibe.transition_bars, PHRASE_BARS)
    backing = play(turns, request.transition or vibe.transition, shared)
    intro_end = next((slot.at_bar for slot in slots if slot.role != "intro"), 0.0)
    opening_hz = vibe.opening_low_pass_hz.at(request.intensity)
    backing = closed(opened(backing, opening_hz, intro_end), bars)
    phrases_at = [(slot.at_bar, slot.phrase) for slot in slots if slot.phrase is not None]
    voice = singing(singer, phrases_at, pace.factors[singer.name], semitones[singer.name], bars)
    whole = length_note(request.length_s, bars * bar_s, "phrases stay whole")
    together = tuple(tuple(song.name for song in band) for band in bands(hosts))
    return Arrangement(bars, (*voice, *backing), _sections(slots), together, (*notes, *whole))


def _slots(
    singer: MixSong, request: MixRequest, pace: Pace, bar_s: float
) -> tuple[list[Slot], tuple[str, ...]]:
    voice = singer.vocals
    if voice is None:
        raise InvalidInput(f"{singer.name} has no vocals to lay over anything")
    factor = pace.factors[singer.name]
    found = sung(singer, voice.kind, phrases(singer, factor))
    if not found:
        raise InvalidInput(f"{singer.name}: its vocals are silent, or sing for no whole phrase")
    size = found[0].source_bars / factor
    roles = _roles(request, len(found), size, bar_s)
    density = request.figures.density.at(request.intensity)
    intro = roles.count("intro")
    slots: list[Slot] = []
    taken = 0
    for index, role in enumerate(roles):
        phrase = found[taken % len(found)] if role == "voice" else None
        taken += role == "voice"
        # The intro fills up; a break thins out.
        share = density + (1 - density) * index / intro if role == "intro" else density
        slots.append(Slot(role, index * size, size, phrase, 1.0 if role == "voice" else share))
    what = "one phrase: it comes" if len(found) == 1 else f"{len(found)} phrases: they come"
    again = f"{singer.name} sings {what} again"
    return slots, (again,) if taken > len(found) else ()


def _roles(request: MixRequest, available: int, size: float, bar_s: float) -> list[str]:
    """What the phrases of the mashup are for: intro, voice with breaks, outro."""
    vibe, intensity = request.figures, request.intensity
    phrase_s = size * bar_s
    intro = max(1, round(vibe.intro_bars.at(intensity) / size))
    rest = round(vibe.break_every_phrases.at(intensity))
    if request.length_s is None:
        breaks = (available - 1) // rest if rest else 0
        body = min(available + breaks, max(1, int(_LONGEST_UNASKED_S / phrase_s)))
        outro = 1
    else:
        wanted = max(1, round(request.length_s / phrase_s))
        intro = min(intro, wanted // 3)
        outro = 1 if wanted - intro >= 3 else 0
        body = wanted - intro - outro
    middle = [
        "break" if rest and (index + 1) % (rest + 1) == 0 else "voice" for index in range(body)
    ]
    middle[-1] = "voice"
    return ["intro"] * intro + middle + ["outro"] * outro


def _turns(
    hosts: Sequence[MixSong],
    slots: Sequence[Slot],
    request: MixRequest,
    pace: Pace,
    semitones: Mapping[str, float],
) -> Iterator[Turn]:
    """Which band plays when: they share the mashup evenly, each for whole phrases."""
    found = bands(hosts)
    edges = [round(index * len(slots) / len(found)) for index in range(len(found) + 1)]
    for band, first, last in zip(found, edges, edges[1:], strict=False):
        pools = {song.name: _pool(song, pace) for song in band}
        for place, slot in enumerate(slots[first:last]):
            at_edge = (place == 0 and first > 0, first + place == last - 1 and last < len(slots))
            phrase = {song.name: _fitting(pools[song.name], place, song, at_edge) for song in band}
            kinds = _playing(band, phrase, slot.share, request.figures.thin_order)
            stays = tuple(
                stay
                for song in band
                for stay in _fill(
                    Stay(
                        song,
                        slot.at_bar,
                        slot.bars,
                        phrase[song.name].from_bar,
                        pace.factors[song.name],
                        tuple(kind for kind in song.instruments if kind in kinds),
                        semitones[song.name],
                    ),
                    pools[song.name][0].source_bars,
                )
            )
            yield Turn(slot.at_bar, slot.bars, stays)


def _pool(song: MixSong, pace: Pace) -> tuple[Phrase, ...]:
    pool = carrying(song, phrases(song, pace.factors[song.name]))
    if not pool:
        raise InvalidInput(f"{song.name}: it has no bar of instruments that could be played")
    return pool


def _fitting(
    pool: Sequence[Phrase], place: int, song: MixSong, at_edge: tuple[bool, bool]
) -> Phrase:
    """The pool's phrases in turn; at an edge to other songs, one with music beyond that edge."""
    in_turn = [pool[(place + index) % len(pool)] for index in range(len(pool))]
    first, last = at_edge

    def has_room(phrase: Phrase) -> bool:
        half = phrase.source_bars / 2
        before = not first or phrase.from_bar >= half
        return before and (not last or phrase.end_bar + half <= song.bars)

    return next(filter(has_room, in_turn), in_turn[0])


def _fill(whole: Stay, loop_bars: float) -> Iterator[Stay]:
    """A stay, as loops of so many bars of its song."""
    step, at_bar = loop_bars / whole.factor, whole.at_bar
    while at_bar < whole.end_bar - 1e-9:
        bars = min(step, whole.end_bar - at_bar)
        yield Stay(
            whole.song, at_bar, bars, whole.from_bar, whole.factor, whole.kinds, whole.semitones
        )
        at_bar += bars


def _playing(
    band: Sequence[MixSong], phrases_of: Mapping[str, Phrase], share: float, order: Sequence[str]
) -> frozenset[str]:
    """The parts that play where only a share of them does.

    More than that share where what it leaves would hardly be heard.
    """
    powers = {
        kind: song.power((kind,), phrases_of[song.name].from_bar, phrases_of[song.name].end_bar)
        for song in band
        for kind in song.instruments
    }
    ranked = sorted(powers, key=lambda kind: order.index(kind) if kind in order else len(order))
    wanted = max(1, round(share * len(ranked)))
    enough = _LEAST_POWER_SHARE * sum(powers.values())
    chosen: list[str] = []
    for kind in ranked:
        if len(chosen) >= wanted and sum(powers[one] for one in chosen) >= enough:
            break
        chosen.append(kind)
    return frozenset(chosen)


def _sections(slots: Sequence[Slot]) -> tuple[Section, ...]:
    """Slots of one role in a row are one section."""
    sections: list[Section] = []
    for slot in slots:
        if sections and sections[-1].name == slot.role:
            last = sections.pop()
            sections.append(last.model_copy(update={"bars": last.bars + slot.bars}))
        else:
            sections.append(Section(name=slot.role, at_bar=slot.at_bar, bars=slot.bars))
    return tuple(sections)
