"""Names of the sections of a layer, and why their parts were chosen."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from mashup_worker.mixing.plan import Section

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.analysis.form.result import Section as SongSection
    from mashup_worker.mixing.planning.backing_choice import Choice
    from mashup_worker.mixing.planning.slots import Slot
    from mashup_worker.mixing.planning.song_form import SongForm
    from mashup_worker.mixing.planning.transitions import Block

    Row = tuple[Slot, Block, Choice | None]


def named_sections(
    vocal_song: str, slots: Sequence[Slot], chosen: Sequence[tuple[Block, Choice | None]]
) -> tuple[Section, ...]:
    """Return the sections of a layer, each with the reason for its parts where that is known.

    A sung section is named after that of the vocal song, such as `chorus`, or `vocals`.
    """
    rows = [(slot, *pair) for slot, pair in zip(slots, chosen, strict=True)]
    sections = []
    for _, group in groupby(rows, key=lambda row: (row[0].role, id(row[0].section))):
        part = list(group)
        first = part[0][0]
        sung = first.section
        sections.append(
            Section(
                name=(sung.role if sung else None) or first.role,
                at_bar=first.at_bar,
                bars=sum(slot.bars for slot, _, _ in part),
                why=_why(vocal_song, part),
            )
        )
    return tuple(sections)


def parts_of(form: SongForm | None, block: Block) -> str:
    """Return the sections of a song that play in a block, such as `verse A, chorus B`."""
    if form is None:
        return ""
    placement = block.placements[0]
    first = round(placement.from_bar)
    stop = round(placement.from_bar + placement.bars * placement.tempo_factor)
    found = {id(one): one for one in form.sections[max(0, first) : stop] if one is not None}
    return ", ".join(f"{one.role or 'section'} {one.label}" for one in found.values())


def _why(vocal_song: str, part: Sequence[Row]) -> str:
    names = dict.fromkeys(
        f"{_named(choice.section)}{block.placements[0].song.name}"
        for _, block, choice in part
        if choice is not None and block.placements
    )
    if not names:
        return ""
    slot = part[0][0]
    backing = " and ".join(names)
    reasons = [
        *_shares("chords agree", [choice.agreement for _, _, choice in part if choice]),
        *_energies([choice.energies for _, _, choice in part if choice]),
    ]
    sung = f"{_named(slot.section)}{vocal_song} over " if slot.phrase is not None else ""
    return f"{sung}{backing}{': ' if reasons else ''}{', '.join(reasons)}"


def _named(section: SongSection | None) -> str:
    if section is None:
        return ""
    return f"{section.role or 'section'} {section.label} of "


def _shares(name: str, values: Sequence[float | None]) -> list[str]:
    known = [value for value in values if value is not None]
    return [f"{name} by {sum(known) / len(known):.0%}"] if known else []


def _energies(pairs: Sequence[tuple[float, float] | None]) -> list[str]:
    known = [pair for pair in pairs if pair is not None]
    if not known:
        return []
    sung, under = (sum(pair[side] for pair in known) / len(known) for side in (0, 1))
    return [f"energy {sung:.2f} over {under:.2f}"]
