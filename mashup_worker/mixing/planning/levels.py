"""How loud each clip is: instruments as one, the voice a little above them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from mashup_worker.mixing.song import BASS, DRUMS, is_vocal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mashup_worker.mixing.plan import Clip
    from mashup_worker.mixing.planning.arrangement import Arrangement
    from mashup_worker.mixing.song import Levels, MixSong

BACKING_LUFS = -20.0
"""Instruments are brought there, so that no sum of parts goes far beyond full scale."""

PART_LU: Mapping[str, float] = {
    DRUMS: 0.0,
    BASS: -3.0,
    "other": -3.0,
    "guitar": -5.0,
    "piano": -5.0,
}
"""Loudness of parts beside each other, where they come from different songs."""

_FAINTEST = 10 ** (-60 / 10)
_MOST_GAIN_DB = 24.0
_LEAST_LIFT_LU, _MOST_LIFT_LU = 0.0, 4.0
_OFFSET_DB = -0.691
_FADE_STEPS = 8


def balanced(
    arrangement: Arrangement, songs: Mapping[str, MixSong], lift_lu: float, *, layered: bool
) -> tuple[Clip, ...]:
    """Clips with their gains.

    Every song's instruments, and those of several that play together, come to one loudness. A song
    keeps the balance of its own instruments; parts of different songs get that of `PART_LU`. A
    voice over other songs' instruments is `lift_lu` louder than they are while it sings; in its own
    song it stays as it was mixed, unless it lay below its instruments or far above.
    """
    clips = arrangement.clips
    gains: dict[str, float] = {}
    for band in arrangement.bands:
        gains |= _backing_gains(clips, band, songs)
    backing = [
        clip.model_copy(update={"gain_db": gains[clip.source]})
        for clip in clips
        if clip.source in gains
    ]
    for source in {clip.source: None for clip in clips if clip.source not in gains}:
        sung = [clip for clip in clips if clip.source == source]
        gains[source] = _vocal_gain(sung, backing, songs, lift_lu if layered else None)
    return tuple(
        clip.model_copy(update={"gain_db": round(gains[clip.source], 2)}) for clip in clips
    )


def split(source: str) -> tuple[str, str]:
    """Song and kind from what a plan calls a part."""
    name, _, kind = source.rpartition("/")
    return name, kind


def decibels(power: float) -> float:
    """A ratio of powers in dB; that of -120 dB for nothing."""
    return 10 * math.log10(max(power, 1e-12))


def power_between(
    clips: Iterable[Clip], songs: Mapping[str, MixSong], span: tuple[float, float]
) -> float:
    """Mean square of what plays between two bars of the mashup, with gains and fades."""
    start, stop = span
    power = 0.0
    for clip in clips:
        name, kind = split(clip.source)
        first, last = max(start, clip.at_bar), min(stop, clip.end_bar)
        if last > first:
            bars = [clip.from_bar + (at - clip.at_bar) * clip.tempo_factor for at in (first, last)]
            share = (last - first) / (stop - start) * _fade_power(clip, first, last)
            gain = 10 ** (clip.gain_db / 10)
            power += share * gain * songs[name].power((kind,), bars[0], bars[1])
    return power


def _fade_power(clip: Clip, first: float, last: float) -> float:
    """Mean of the square of a clip's fades between two bars."""
    total = 0.0
    for step in range(_FADE_STEPS):
        at_bar = first + (last - first) * (step + 0.5) / _FADE_STEPS
        share = 1.0
        if clip.fade_in_bars:
            share = min(share, (at_bar - clip.at_bar) / clip.fade_in_bars)
        if clip.fade_out_bars:
            share = min(share, (clip.end_bar - at_bar) / clip.fade_out_bars)
        total += math.sin(share * math.pi / 2) ** 2
    return total / _FADE_STEPS


def _backing_gains(
    clips: Sequence[Clip], band: Sequence[str], songs: Mapping[str, MixSong]
) -> dict[str, float]:
    powers: dict[str, float] = {}
    for clip in clips:
        name, kind = split(clip.source)
        if name in band and not is_vocal(kind):
            powers.setdefault(clip.source, _power_where_it_plays(clips, clip.source, songs[name]))
    part_db = dict.fromkeys(powers, 0.0)
    if len(band) > 1:
        for source, power in powers.items():
            kind = split(source)[1]
            part_db[source] = PART_LU.get(kind, -5.0) - decibels(power) if power else 0.0
    total = sum(power * 10 ** (part_db[source] / 10) for source, power in powers.items())
    common_db = BACKING_LUFS - _OFFSET_DB - decibels(total) if total > _FAINTEST else 0.0
    return {
        source: min(_MOST_GAIN_DB, max(-_MOST_GAIN_DB, part + common_db))
        for source, part in part_db.items()
    }


def _power_where_it_plays(clips: Iterable[Clip], source: str, song: MixSong) -> float:
    """Mean square of a part over the bars of its song that are used."""
    kind = split(source)[1]
    used = [clip for clip in clips if clip.source == source]
    length = sum(clip.bars for clip in used)
    return (
        sum(
            clip.bars * song.power((kind,), clip.from_bar, clip.from_bar + clip.source_bars)
            for clip in used
        )
        / length
    )


def _vocal_gain(
    sung: Sequence[Clip],
    backing: Sequence[Clip],
    songs: Mapping[str, MixSong],
    lift_lu: float | None,
) -> float:
    """The gain that lifts a voice above what plays while it sings; None keeps its own lift."""
    name, kind = split(sung[0].source)
    voice = _sung_power(sung, songs[name].parts[kind].levels, songs[name])
    if not voice:
        return 0.0
    length = sum(clip.bars for clip in sung)
    below = (
        sum(clip.bars * power_between(backing, songs, (clip.at_bar, clip.end_bar)) for clip in sung)
        / length
    )
    below_db = decibels(below) if below > _FAINTEST else BACKING_LUFS - _OFFSET_DB
    if lift_lu is None:
        own = [clip.gain_db for clip in backing if split(clip.source)[0] == name]
        as_it_was = decibels(voice) + max(own, default=0.0) - below_db
        lift_lu = min(max(as_it_was, _LEAST_LIFT_LU), _MOST_LIFT_LU)
    return max(-_MOST_GAIN_DB, min(_MOST_GAIN_DB, below_db + lift_lu - decibels(voice)))


def _sung_power(sung: Iterable[Clip], levels: Levels, song: MixSong) -> float:
    """Mean square of a voice over the moments of some clips at which it sounds."""
    heard = torch.zeros_like(levels.sounding)
    for clip in sung:
        bars = clip.from_bar, clip.from_bar + clip.source_bars
        first, last = (levels.step_at(song.grid.time_at(bar)) for bar in bars)
        heard[first:last] = True
    used = levels.powers[heard & levels.sounding]
    return float(used.mean()) if len(used) else 0.0
