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
_SHIFT_COST = 0.2
_PEAKS = ("chorus", "drop")
_PEAK, _CHANGE = 1.0, 0.3


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
    """Move breaks between phrases by two phrases at most, to where the song rests or turns."""
    total = sum(role == "vocals" for role in roles)
    if form is None or not phrases or not total:
        return list(roles)
    before = [0]
    for place, role in enumerate(roles):
        if role == "break":
            nominal = sum(one == "vocals" for one in roles[:place])
            near = (nominal, nominal - 1, nominal + 1, nominal - 2, nominal + 2)
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


def formed_run(
    song: MixSong,
    form: SongForm | None,
    phrases: Sequence[Phrase],
    count: int,
    shared_bars: tuple[int, int],
    *,
    peak: bool,
) -> tuple[Phrase, ...]:
    """Return the `count` phrases in a row in which most stems play and which sections enclose.

    Args:
        song: the song.
        form: its form; None gives no phrases.
        phrases: its phrases, for their size.
        count: number of phrases to return, or all where the song has fewer.
        shared_bars: bars shared with the songs before and after, up to each change of songs, at
            which sections should begin and no note should be cut.
        peak: whether choruses and drops are preferred to fullness.
    """
    size = phrases[0].source_bars
    length = min(count, len(phrases)) * size
    if form is None or size != round(size) or not 0 < length <= form.bars:
        return ()
    plays = np.array(
        [[song.is_playing(kind, bar, bar + 1) for bar in range(form.bars)] for kind in song.stems]
    ).mean(axis=0)
    peaks = np.array([one is not None and one.role in _PEAKS for one in form.sections])
    worth = plays + (_PEAK * peaks if peak else 0.0)
    early, late = (min(bars, int(length // 4)) for bars in shared_bars)

    def score(first: int) -> tuple[float, int]:
        stop = first + int(length)
        mean = float(worth[first:stop].mean())
        for bar in (first + early, stop - late):
            across = form.steps(form.sung, bar - 0.25, 0.5, 2)
            mean += _CHANGE * float(form.boundary[bar]) - _CHANGE * float(across.min())
        return round(mean, 6), -first

    best = max(range(form.bars - int(length) + 1), key=score)
    return tuple(Phrase(best + index * size, size) for index in range(round(length / size)))
