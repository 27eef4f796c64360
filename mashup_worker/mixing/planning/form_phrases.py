"""Phrases of a song along its sections."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mashup_worker.mixing.planning.phrases import Phrase, find_phrases

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.mixing.planning.song_form import SongForm
    from mashup_worker.mixing.song import MixSong

_AT_BOUNDARY, _ACROSS_BOUNDARY = 1.0, 1.0
_SKIPPED_BAR, _SKIPPED_SINGING = 0.25, 1.0
_SHIFT_COST = 0.3


def section_phrases(
    song: MixSong, form: SongForm | None, tempo_factor: float, bars: int
) -> tuple[Phrase, ...]:
    """Return phrases that begin where sections do, and leave out as few bars as possible.

    A bar with singing that is left out costs more. Without a form, or where a phrase does
    not fill whole bars, phrases are equally spaced.
    """
    size = round(bars * tempo_factor)
    if form is None or abs(size - bars * tempo_factor) > 1e-6 or not 0 < size <= form.bars:
        return find_phrases(song, tempo_factor, bars)
    sung = form.sung.reshape(form.bars, -1).mean(axis=1)
    best = np.zeros(form.bars + 1)
    taken = np.zeros(form.bars + 1, dtype=bool)
    for stop in range(1, form.bars + 1):
        best[stop] = best[stop - 1] - _SKIPPED_BAR - _SKIPPED_SINGING * sung[stop - 1]
        start = stop - size
        if start >= 0:
            inside = float(form.boundary[start + 1 : stop].max(initial=0.0))
            gain = _AT_BOUNDARY * float(form.boundary[start]) - _ACROSS_BOUNDARY * inside
            if best[start] + gain >= best[stop]:
                best[stop], taken[stop] = best[start] + gain, True
    found, stop = [], form.bars
    while stop > 0:
        if taken[stop]:
            stop -= size
            found.append(Phrase(float(stop), float(size)))
        else:
            stop -= 1
    return tuple(reversed(found))


def with_breaks(
    roles: Sequence[str], phrases: Sequence[Phrase], form: SongForm | None
) -> list[str]:
    """Move breaks between phrases by one phrase at most, to where the song rests or turns."""
    total = sum(role == "vocals" for role in roles)
    if form is None or not phrases or not total:
        return list(roles)
    before = [0]
    for place, role in enumerate(roles):
        if role == "break":
            nominal = sum(one == "vocals" for one in roles[:place])
            near = (nominal, nominal - 1, nominal + 1)
            places = [at for at in near if before[-1] < at < total] or [nominal]
            costs = {at: _SHIFT_COST * abs(at - nominal) for at in places}
            worth = {at: _rest_at(phrases, form, at) - costs[at] for at in places}
            before.append(max(places, key=worth.__getitem__))
    body = list[str]()
    for sung in range(total):
        body += ["break"] * before[1:].count(sung) + ["vocals"]
    intro = roles.index("vocals")
    return [*roles[:intro], *body, *(role for role in roles[intro:] if role == "outro")]


def _rest_at(phrases: Sequence[Phrase], form: SongForm, at: int) -> float:
    """Return how well a break suits the place before a phrase."""
    before, after = phrases[(at - 1) % len(phrases)], phrases[at % len(phrases)]
    bar = round(after.from_bar)
    boundary = float(form.boundary[bar]) if bar < len(form.boundary) else 0.0
    if not before.leads_to(after):
        return 1.0 + boundary
    around = form.steps(form.sung, bar - 0.25, 0.5, 2)
    return boundary - float(around.min())
