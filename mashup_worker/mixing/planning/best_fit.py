"""Where the bars of one song fit those of another best, by chords at every transposition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mashup_worker.mixing.planning.harmony import MAX_SHIFT_SEMITONES
from mashup_worker.mixing.planning.song_form import STEPS_PER_BAR, SongForm, song_form

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mashup_worker.analysis.arrays import Array
    from mashup_worker.analysis.form.result import Section
    from mashup_worker.mixing.song import MixSong

LENGTHS_BARS = (16, 8, 4)
"""Lengths that are tried, the longest that both songs hold."""

_PHRASE_BARS = 4
_MOST = 3
_LEAST_SUNG = 0.3
_MAX_BARS = 400
"""Bars of a song that are compared; the work grows with the product of both songs."""

_AT_BOUNDARY, _ENERGY = 0.05, 0.2


@dataclass(frozen=True, kw_only=True)
class Side:
    """Bars of one song: times in seconds, numbers from 1, and their section if it is known."""

    start_s: float
    stop_s: float
    first_bar: int
    last_bar: int
    section: Section | None

    def as_dict(self) -> dict[str, Any]:
        """Return the bars as JSON values."""
        section = self.section
        return {
            "start_s": round(self.start_s, 3),
            "stop_s": round(self.stop_s, 3),
            "bars": [self.first_bar, self.last_bar],
            "section": section and {"label": section.label, "role": section.role},
        }


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Bars of the vocals that suit bars of the backing.

    Attributes:
        semitones: transposition of the vocals against the backing.
        agreement: shared tones of their chords while the voice sings, 0 to 1.
    """

    vocals: Side
    backing: Side
    semitones: int
    agreement: float

    def as_dict(self) -> dict[str, Any]:
        """Return the fit as JSON values."""
        return {
            "vocals": self.vocals.as_dict(),
            "backing": self.backing.as_dict(),
            "semitones": self.semitones,
            "agreement": round(self.agreement, 3),
        }


@dataclass(frozen=True, eq=False)
class ChordMatch:
    """Agreement of the chords of two songs.

    Attributes:
        by_shift: mean over the sung phrases of the agreement with the bars that suit each best, 0
            to 1, by transposition of the vocals in semitones, -5 to 6.
        fits: places that suit best, the best first; they share no bars of the vocals.
    """

    by_shift: Mapping[int, float]
    fits: tuple[Fit, ...]

    @property
    def best_shift(self) -> int:
        """Transposition with the highest agreement, the smallest of several."""
        return max(self.by_shift, key=lambda shift: (round(self.by_shift[shift], 3), -abs(shift)))

    def as_dict(self) -> dict[str, Any]:
        """Return the agreement as JSON values."""
        return {
            "by_shift": {str(shift): round(one, 3) for shift, one in self.by_shift.items()},
            "best_shift": self.best_shift,
            "fits": [one.as_dict() for one in self.fits],
        }


def match_chords(
    vocal_song: MixSong, backing_song: MixSong, factors: Sequence[float] = (1.0, 1.0)
) -> ChordMatch | None:
    """Compare the chords of two songs; None where the form or the chords of one are unknown.

    Args:
        vocal_song: the song whose vocals are taken.
        backing_song: the song whose instruments are taken.
        factors: bars of the vocal song and of the backing per bar of the mashup.
    """
    vocal_form, backing_form = song_form(vocal_song), song_form(backing_song)
    if vocal_form is None or backing_form is None:
        return None
    forms = vocal_form, backing_form
    voice, under = (_Rows.of(form, factor) for form, factor in zip(forms, factors, strict=True))
    if not voice.chords.any() or not under.chords.any():
        return None
    size = next((one for one in LENGTHS_BARS if one <= min(voice.bars, under.bars)), 0)
    if not size:
        return None
    sung, whole = _sung_bars(voice, _PHRASE_BARS), _sung_bars(voice, size)
    preference = _preference(voice, under, size)
    by_shift, fits = dict[int, float](), list[tuple[float, float, int, int, int]]()
    for shift in range(-5, 7):
        sums = _diagonal_sums(voice, under, shift)
        best = _windows(sums, _PHRASE_BARS).max(axis=1)
        by_shift[shift] = float(np.average(best, weights=sung) if sung.any() else best.mean())
        if abs(shift) <= 2 * MAX_SHIFT_SEMITONES:
            found = _windows(sums, size)
            worth = np.round(found + preference, 6)
            for start in np.flatnonzero(whole >= _LEAST_SUNG).tolist():
                at = int(worth[start].argmax())
                row = float(worth[start, at]), float(found[start, at])
                fits.append((*row, shift, start, at))
    return ChordMatch(by_shift, _chosen(fits, size, (vocal_song, backing_song), forms, factors))


@dataclass(frozen=True, eq=False)
class _Rows:
    """Chords, singing, energy and boundaries of a song on bars of the mashup."""

    bars: int
    chords: Array
    sung: Array
    energy: Array
    boundary: Array

    @classmethod
    def of(cls, form: SongForm, factor: float) -> _Rows:
        bars = min(_MAX_BARS, int(form.bars / factor + 1e-6))
        steps = bars * STEPS_PER_BAR
        sung = form.steps(form.sung, 0.0, bars * factor, steps)
        places = np.minimum((np.arange(bars) * factor).astype(int), form.bars - 1)
        return cls(
            bars=bars,
            chords=form.steps(form.chords, 0.0, bars * factor, steps),
            sung=sung if sung.any() else np.ones(steps),
            energy=form.energy[places],
            boundary=form.boundary[places],
        )


def _diagonal_sums(voice: _Rows, under: _Rows, shift: int) -> tuple[Array, Array]:
    """Return sums along diagonals, from the start of both songs, of agreement and of weight.

    Shape of each: `(voice steps + 1, backing steps + 1)`.
    """
    over = np.roll(voice.chords, shift, axis=1) * voice.sung[:, None]
    weights = np.linalg.norm(over, axis=1)[:, None] * np.linalg.norm(under.chords, axis=1)[None]
    both = []
    for rows in (over @ under.chords.T, weights):
        sums = np.zeros((rows.shape[0] + 1, rows.shape[1] + 1))
        for index, row in enumerate(rows):
            sums[index + 1, 1:] = sums[index, :-1] + row
        both.append(sums)
    return both[0], both[1]


def _windows(sums: tuple[Array, Array], bars: int) -> Array:
    """Return the agreement of equally long bars, `(voice starts, backing starts)`; 0 unknown."""
    length = bars * STEPS_PER_BAR
    agreed, weight = (
        (one[length:, length:] - one[:-length, :-length])[::STEPS_PER_BAR, ::STEPS_PER_BAR]
        for one in sums
    )
    return np.asarray(np.where(weight > 1e-9, agreed / np.maximum(weight, 1e-9), 0.0))


def _sung_bars(voice: _Rows, bars: int) -> Array:
    """Return the share of singing in the bars from each bar of the vocal song."""
    sums = np.cumsum(np.append(0.0, voice.sung.reshape(voice.bars, -1).mean(axis=1)))
    return np.asarray((sums[bars:] - sums[:-bars]) / bars)


def _preference(voice: _Rows, under: _Rows, size: int) -> Array:
    """Return how well starts and energies suit each other, `(voice starts, backing starts)`."""
    starts = [len(one.energy) - size + 1 for one in (voice, under)]
    energies = [
        np.convolve(one.energy, np.full(size, 1 / size), mode="valid") for one in (voice, under)
    ]
    edges = voice.boundary[: starts[0], None] + under.boundary[None, : starts[1]]
    return np.asarray(_AT_BOUNDARY * edges - _ENERGY * np.abs(energies[0][:, None] - energies[1]))


def _chosen(
    found: Sequence[tuple[float, float, int, int, int]],
    size: int,
    songs: tuple[MixSong, MixSong],
    forms: tuple[SongForm, SongForm],
    factors: Sequence[float],
) -> tuple[Fit, ...]:
    fits: list[Fit] = []
    taken: list[int] = []
    for _, agreement, shift, start, at in sorted(found, key=_order):
        if len(fits) == _MOST:
            break
        if all(abs(start - other) >= size for other in taken):
            taken.append(start)
            vocals, backing = (
                _side(song, form, factor * first, factor * size)
                for song, form, factor, first in zip(
                    songs, forms, factors, (start, at), strict=True
                )
            )
            fits.append(Fit(vocals=vocals, backing=backing, semitones=shift, agreement=agreement))
    return tuple(fits)


def _order(row: tuple[float, float, int, int, int]) -> tuple[float, int, int, int]:
    worth, _, shift, start, at = row
    return -worth, abs(shift), start, at


def _side(song: MixSong, form: SongForm, from_bar: float, bars: float) -> Side:
    return Side(
        start_s=max(0.0, song.grid.time_at(from_bar)),
        stop_s=song.grid.time_at(from_bar + bars),
        first_bar=int(from_bar) + 1,
        last_bar=int(np.ceil(from_bar + bars)),
        section=form.section_of(from_bar, bars),
    )
