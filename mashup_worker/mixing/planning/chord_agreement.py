"""Agreement of the chords of two songs, bar by bar, at any transposition."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mashup_worker.mixing.planning.song_form import STEPS_PER_BAR

if TYPE_CHECKING:
    from mashup_worker.analysis.arrays import Array, Indices
    from mashup_worker.mixing.planning.song_form import SongForm

UNKNOWN_AGREEMENT, _DOUBT = 0.5, 0.02
"""Agreement of two chords that share some tones, taken where one of them is unknown."""


def agreement_at(
    vocals: SongForm,
    span: tuple[float, float],
    backing: SongForm,
    starts: Indices,
    source_bars: float,
    shift: int,
) -> Array:
    """Return how well the chords under a voice agree with those of other bars, `(starts,)`.

    1 for the same chords, 2/3 for chords that share two tones, weighted by singing and by the
    confidence of both chords; `UNKNOWN_AGREEMENT` where neither is known.

    Args:
        vocals: form of the vocal song.
        span: first bar and number of bars of the vocal song.
        backing: form of the backing song.
        starts: first bars of the backing song, all bars of which play against those of the voice.
        source_bars: number of bars of the backing song.
        shift: semitones by which the vocal song is moved up against the backing song.
    """
    count = max(1, round(min(span[1], source_bars) * STEPS_PER_BAR))
    sung = vocals.steps(vocals.sung, *span, count)
    weight = sung if float(sung.sum()) > 0 else np.ones(count)
    over = np.roll(vocals.steps(vocals.chords, *span, count), shift, axis=1)
    under = np.stack(
        [backing.steps(backing.chords, float(start), source_bars, count) for start in starts]
    )
    sure = np.sqrt(np.square(over).sum(axis=1)) * np.sqrt(np.square(under).sum(axis=2))
    total = (weight * sure).sum(axis=1)
    found = (weight * (under * over).sum(axis=2)).sum(axis=1)
    # A little unknown keeps one sure beat from deciding for bars of doubt.
    unsure = _DOUBT * weight.sum()
    return np.asarray((found + UNKNOWN_AGREEMENT * unsure) / (total + unsure))
