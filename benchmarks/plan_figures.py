"""Figures of a plan: what plays together in it, by the analyses of its songs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mashup_worker.mixing.planning.song_form import STEPS_PER_BAR, song_form
from mashup_worker.mixing.song import is_vocal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mashup_worker.mixing.plan import Clip, Plan
    from mashup_worker.mixing.planning.song_form import SongForm
    from mashup_worker.mixing.song import MixSong

_LOUD_DB = -20.0


@dataclass(frozen=True)
class Figures:
    """Figures of one plan; None where nothing can be compared.

    Attributes:
        agreement: shared tones of the chords of both songs in singing, 0 to 1.
        energy: correlation of the levels of both songs by bar in singing.
        cuts: edges of vocal clips at which the voice sounds.
        turns: share of the turns of the vocal song at which a section of the backing begins.
    """

    agreement: float | None
    energy: float | None
    cuts: float | None
    turns: float | None


def figures(plan: Plan, vocal_song: MixSong, backing: MixSong) -> Figures:
    """Compare what plays together in a plan."""
    forms = [form for form in (song_form(vocal_song), song_form(backing)) if form is not None]
    voices = [clip for clip in plan.clips if is_vocal(plan.sources[clip.source].kind)]
    under = sorted(
        (one for one in plan.clips if plan.sources[one.source].song == backing.name),
        key=lambda one: (plan.sources[one.source].kind == "drums", one.at_bar),
    )
    chords: list[tuple[float, float]] = []
    levels: list[tuple[float, float]] = []
    turns: list[bool] = []
    for voice in voices:
        for at in np.arange(voice.at_bar, voice.end_bar, 1 / STEPS_PER_BAR):
            other = next((one for one in under if one.at_bar <= at < one.end_bar), None)
            if other is not None:
                bars = _bar_of(voice, at), _bar_of(other, at)
                chords += _chords(forms, bars, round(voice.semitones - other.semitones))
                levels += _levels(forms, bars)
                turns += _turns(forms, bars)
    return Figures(
        agreement=_mean(chords),
        energy=_correlation(levels),
        cuts=float(sum(_is_cut(vocal_song, one, edge) for one in voices for edge in (0, 1))),
        turns=sum(turns) / len(turns) if turns else None,
    )


def _bar_of(clip: Clip, at_bar: float) -> float:
    return clip.from_bar + (at_bar - clip.at_bar) * clip.tempo_factor


def _step(bar: float) -> int:
    return int(np.floor((bar + 1e-6) * STEPS_PER_BAR))


def _chords(
    forms: Sequence[SongForm], bars: Sequence[float], shift: int
) -> Iterator[tuple[float, float]]:
    steps = [_step(bar) for bar in bars]
    if all(0 <= step < len(form.chords) for form, step in zip(forms, steps, strict=True)):
        over, under = (form.chords[step] for form, step in zip(forms, steps, strict=True))
        sure = float(np.linalg.norm(over) * np.linalg.norm(under))
        if sure > 0 and forms[0].sung[steps[0]] > 0.5:
            yield float(np.roll(over, shift) @ under) / sure, 1.0


def _levels(forms: Sequence[SongForm], bars: Sequence[float]) -> Iterator[tuple[float, float]]:
    places = [int(np.floor(bar + 1e-6)) for bar in bars]
    step = _step(bars[0])
    inside = all(0 <= at < form.bars for form, at in zip(forms, places, strict=True))
    if inside and forms[0].sung[min(step, len(forms[0].sung) - 1)] > 0.5:
        yield (forms[0].energy[places[0]], forms[1].energy[places[1]])


def _turns(forms: Sequence[SongForm], bars: Sequence[float]) -> Iterator[bool]:
    place, under = round(bars[0]), round(bars[1])
    is_bar = abs(bars[0] - place) < 1e-6 and 0 < place < forms[0].bars
    if is_bar and forms[0].boundary[place] > 0:
        yield abs(bars[1] - under) < 1e-6 and float(forms[1].boundary[under]) > 0


def _is_cut(song: MixSong, clip: Clip, edge: int) -> bool:
    time_s = song.grid.time_at(clip.source_end_bar if edge else clip.from_bar)
    inside = any(one.start_s + 0.05 < time_s < one.stop_s - 0.05 for one in song.analysis.singing)
    stem = song.vocals
    assert stem is not None, "it sings"
    loud = stem.envelope.loud_power * 10 ** (_LOUD_DB / 10)
    return inside and stem.envelope.power(time_s - 0.025, time_s + 0.025) > loud


def _mean(pairs: Sequence[tuple[float, float]]) -> float | None:
    weight = sum(one for _, one in pairs)
    return sum(value * one for value, one in pairs) / weight if weight else None


def _correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    rows = np.array(pairs).T
    if len(pairs) < 8 or min(rows.std(axis=1)) < 1e-6:
        return None
    return float(np.corrcoef(rows)[0, 1])
