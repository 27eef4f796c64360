"""Form of a song on the bars of its grid: sections, energy, chords and singing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mashup_worker.analysis.arrays import Array
    from mashup_worker.analysis.form.result import Section
    from mashup_worker.analysis.result import Analysis
    from mashup_worker.mixing.song import MixSong

STEPS_PER_BAR = 4
"""Places of a bar at which chords and singing are compared."""

_ROOTS = dict(zip("CDEFGAB", (0, 2, 4, 5, 7, 9, 11), strict=True))
_FIFTHS = {"dim": 6, "hdim7": 6, "dim7": 6, "aug": 8}
_NEAR_BARS = 0.5


@dataclass(frozen=True, eq=False)
class SongForm:
    """Form of a song on the bars of its grid.

    Attributes:
        bars: number of whole bars.
        sections: section of each bar, None beyond the first and the last; `(bars,)`.
        boundary: confidence of a section that begins at a bar, 0 without one; `(bars + 1,)`.
        energy: rank of the level of each bar among those of the song, 0 to 1; `(bars,)`.
        level_db: level of each bar relative to the loudest; `(bars,)`.
        chords: pitch classes of the chords as unit vectors, times their confidence, 0 without a
            chord; `(bars * STEPS_PER_BAR, 12)`.
        sung: share of each step with singing; `(bars * STEPS_PER_BAR,)`.
    """

    bars: int
    sections: tuple[Section | None, ...]
    boundary: Array
    energy: Array
    level_db: Array
    chords: Array
    sung: Array

    def section_of(self, from_bar: float, bars: float) -> Section | None:
        """Return the section that most of some bars belong to."""
        inside = self.sections[max(0, round(from_bar)) : max(0, round(from_bar + bars))]
        known = {id(one): one for one in inside if one is not None}
        if not known:
            return None
        return max(known.values(), key=lambda one: sum(other is one for other in inside))

    def mean_energy(self, from_bar: float, bars: float) -> float:
        """Return the mean energy of some bars; 0.5 outside the song."""
        part = self.energy[max(0, round(from_bar)) : max(0, round(from_bar + bars))]
        return float(part.mean()) if len(part) else 0.5

    def steps(self, rows: Array, from_bar: float, bars: float, count: int) -> Array:
        """Return the rows of chords or singing at equally spaced places of some bars.

        Shape: `(count, …)`; zeros outside the song.
        """
        places = (from_bar + (np.arange(count) + 0.5) * bars / count) * STEPS_PER_BAR
        index = np.floor(places).astype(int)
        inside = (index >= 0) & (index < len(rows))
        found = rows[np.clip(index, 0, len(rows) - 1)].copy()
        found[~inside] = 0
        return np.asarray(found)


def song_form(song: MixSong) -> SongForm | None:
    """Return the form of a song; None where the analysis found no sections."""
    analysis, bars = song.analysis, song.bars
    if not analysis.sections or not analysis.bars or not bars:
        return None
    edges_s = np.array([song.grid.time_at(bar) for bar in range(bars + 1)])
    middles_s = (edges_s[1:] + edges_s[:-1]) / 2
    starts_s = np.array([bar.start_s for bar in analysis.bars])
    index = np.clip(np.searchsorted(starts_s, middles_s, side="right") - 1, 0, None)
    level_db = np.array([bar.level_db for bar in analysis.bars])[index]
    steps_s = np.interp(
        np.arange(bars * STEPS_PER_BAR + 1) / STEPS_PER_BAR, np.arange(bars + 1), edges_s
    )
    return SongForm(
        bars=bars,
        sections=tuple(_section_at(analysis, float(at_s)) for at_s in middles_s),
        boundary=_boundaries(song),
        energy=_ranks(level_db),
        level_db=level_db,
        chords=_chords(analysis, steps_s),
        sung=_sung(analysis, steps_s),
    )


def chord_vector(label: str) -> Array | None:
    """Return the pitch classes of a chord in the syntax of C. Harte as a unit vector, or None.

    Triads count; further degrees and inversions do not.
    """
    root_name, _, quality = label.partition("/")[0].partition(":")
    if not root_name or root_name[0] not in _ROOTS:
        return None
    root = _ROOTS[root_name[0]] + root_name.count("#") - root_name.count("b")
    kind = quality.partition("(")[0] or "maj"
    third = 3 if kind.startswith(("min", "dim", "hdim")) else 4
    fifth = _FIFTHS.get(kind, 7)
    vector = np.zeros(12)
    vector[[root % 12, (root + third) % 12, (root + fifth) % 12]] = 3**-0.5
    return vector


def _section_at(analysis: Analysis, time_s: float) -> Section | None:
    return next((one for one in analysis.sections if one.start_s <= time_s < one.stop_s), None)


def _boundaries(song: MixSong) -> Array:
    found = np.zeros(song.bars + 1)
    for section in song.analysis.sections:
        bar = song.grid.bar_at(section.start_s)
        nearest = round(bar)
        if 0 <= nearest <= song.bars and abs(bar - nearest) < _NEAR_BARS:
            found[nearest] = max(found[nearest], section.confidence)
    return found


def _ranks(level_db: Array) -> Array:
    """Return the share of bars that are quieter, those of the same level in equal parts."""
    below = (level_db[:, None] > level_db[None]).mean(axis=1)
    return np.asarray(below + 0.5 * (level_db[:, None] == level_db[None]).mean(axis=1))


def _chords(analysis: Analysis, steps_s: Array) -> Array:
    rows = np.zeros((len(steps_s) - 1, 12))
    middles_s = (steps_s[1:] + steps_s[:-1]) / 2
    for span in analysis.chords:
        vector = chord_vector(span.label)
        if vector is not None:
            inside = (middles_s >= span.start_s) & (middles_s < span.stop_s)
            rows[inside] = span.confidence * vector
    return rows


def _sung(analysis: Analysis, steps_s: Array) -> Array:
    total = np.zeros(len(steps_s) - 1)
    for one in analysis.singing:
        shared = np.minimum(one.stop_s, steps_s[1:]) - np.maximum(one.start_s, steps_s[:-1])
        total += np.maximum(shared, 0)
    return np.asarray(np.minimum(1.0, total / np.maximum(np.diff(steps_s), 1e-9)))
