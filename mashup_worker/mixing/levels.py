"""How loud each clip is: instruments as one, the voice a little above them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from mashup_worker.mixing.material import BASS, DRUMS, is_vocal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mashup_worker.mixing.arrangement import Arrangement
    from mashup_worker.mixing.material import MixSong
    from mashup_worker.mixing.plan import Clip

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


def balanced(
    arrangement: Arrangement, songs: Mapping[str, MixSong], lift_lu: float, *, layered: bool
) -> tuple[Clip, ...]:
    """Clips with their gains.

    Every song's instruments, and those of several that play together, come to one loudness. A song
    keeps the balance of its own instruments; parts of different songs get that of `PART_LU`. A
    voice over other songs' instruments is `lift_lu` louder than they are while it sings; in its own
    song it stays as it was mixed, unless it lay below its instruments or far above.
    """
    gains: dict[str, float] = {}
    players = _players(arrangement.clips, songs)
    for band in _together(arrangement.clips, players):
        gains |= _backing_gains(arrangement.clips, band, songs)
    for clip in arrangement.clips:
        name, kind = split(clip.source)
        if is_vocal(kind) and clip.source not in gains:
            gains[clip.source] = _vocal_gain(
                arrangement.clips, songs[name], kind, gains, lift_lu, layered=layered
            )
    return tuple(
        clip.model_copy(update={"gain_db": round(gains[clip.source], 2)})
        for clip in arrangement.clips
    )


def split(source: str) -> tuple[str, str]:
    """Song and kind from what a plan calls a part."""
    name, _, kind = source.rpartition("/")
    return name, kind


def decibels(power: float) -> float:
    """A ratio of powers in dB; that of -120 dB for nothing."""
    return 10 * math.log10(max(power, 1e-12))


def _players(clips: Iterable[Clip], songs: Mapping[str, MixSong]) -> list[str]:
    """Songs whose instruments play, in order."""
    names = (split(clip.source) for clip in clips)
    return list(dict.fromkeys(name for name, kind in names if kind in songs[name].instruments))


def _together(clips: Sequence[Clip], players: Sequence[str]) -> list[list[str]]:
    """Songs that play at once for most of the time are a band."""
    bands: list[list[str]] = []
    spans = {
        name: [(c.at_bar, c.end_bar) for c in clips if split(c.source)[0] == name]
        for name in players
    }
    for name in players:
        for band in bands:
            shared = _overlap(spans[band[0]], spans[name])
            if shared > 0.5 * sum(stop - start for start, stop in spans[name]):
                band.append(name)
                break
        else:
            bands.append([name])
    return bands


def _overlap(some: Sequence[tuple[float, float]], others: Sequence[tuple[float, float]]) -> float:
    return sum(
        max(0.0, min(stop, other_stop) - max(start, other_start))
        for start, stop in others
        for other_start, other_stop in some[:1]
    )


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
    clips: Sequence[Clip],
    song: MixSong,
    kind: str,
    gains: Mapping[str, float],
    lift_lu: float,
    *,
    layered: bool,
) -> float:
    voice = _sung_power(clips, song, kind)
    if not voice:
        return 0.0
    if layered:
        return min(_MOST_GAIN_DB, BACKING_LUFS - _OFFSET_DB + lift_lu - decibels(voice))
    own = [source for source in gains if split(source)[0] == song.name]
    if not own:
        return BACKING_LUFS - _OFFSET_DB + lift_lu - decibels(voice)
    common_db = max(gains[source] for source in own)
    lift = decibels(voice) + common_db - (BACKING_LUFS - _OFFSET_DB)
    wanted = min(max(lift, _LEAST_LIFT_LU), _MOST_LIFT_LU)
    return common_db + wanted - lift


def _sung_power(clips: Iterable[Clip], song: MixSong, kind: str) -> float:
    """Mean square of a voice over the moments at which it sounds."""
    levels = song.parts[kind].levels
    sounding = levels.sounding
    heard = torch.zeros_like(sounding)
    for clip in clips:
        if split(clip.source) == (song.name, kind):
            first, last = (
                levels.step_at(song.grid.time_at(bar))
                for bar in (clip.from_bar, clip.from_bar + clip.source_bars)
            )
            heard[first:last] = True
    used = levels.powers[heard & sounding]
    return float(used.mean()) if len(used) else 0.0
