"""Gains of clips: instruments at one loudness, vocals slightly above them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from mashup_worker.mixing.song import BASS, DRUMS, is_vocal, lufs_to_power_db

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mashup_worker.mixing.plan import Clip
    from mashup_worker.mixing.planning.arrangement import Arrangement
    from mashup_worker.mixing.song import MixSong, SongStem

BACKING_LUFS = -20.0
"""Loudness of the instruments, which leaves headroom for the sum of all stems."""

STEM_BALANCE_LU: Mapping[str, float] = {
    DRUMS: 0.0,
    BASS: -3.0,
    "other": -3.0,
    "guitar": -5.0,
    "piano": -5.0,
}
"""Relative loudness of stems that come from different songs."""

_OTHER_BALANCE_LU = -5.0
_MIN_POWER = 10 ** (-60 / 10)
_MAX_GAIN_DB = 24.0
_OWN_LIFT_LU = 0.0, 4.0
"""Lowest and highest lift of vocals over the instruments of their own song."""

_FADE_STEPS = 8


def set_gains(
    arrangement: Arrangement, songs: Mapping[str, MixSong], lift_lu: float | None
) -> tuple[Clip, ...]:
    """Set the gains of all clips.

    The instruments of each band come to `BACKING_LUFS`. A song keeps the balance of its own
    instruments; stems of different songs get that of `STEM_BALANCE_LU`. Vocals are `lift_lu` louder
    than the instruments that play while they sing; None keeps the lift of their song, 0 to 4 LU.
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
        gains[source] = _vocal_gain(sung, backing, songs, lift_lu)
    return tuple(
        clip.model_copy(update={"gain_db": round(gains[clip.source], 2)}) for clip in clips
    )


def split_source_name(source: str) -> tuple[str, str]:
    """Return the song and the kind of a source, as `source_name` joined them."""
    name, _, kind = source.rpartition("/")
    return name, kind


def power_to_db(power: float) -> float:
    """Convert a mean square to dB, -120 at least."""
    return 10 * math.log10(max(power, 1e-12))


def mean_power(
    clips: Iterable[Clip], songs: Mapping[str, MixSong], span: tuple[float, float]
) -> float:
    """Return the K-weighted mean square of clips between two bars, without automation."""
    start, stop = span
    power = 0.0
    for clip in clips:
        name, kind = split_source_name(clip.source)
        first, last = max(start, clip.at_bar), min(stop, clip.end_bar)
        if last > first:
            bars = [clip.from_bar + (at - clip.at_bar) * clip.tempo_factor for at in (first, last)]
            share = (last - first) / (stop - start) * _fade_power(clip, first, last)
            gain = 10 ** (clip.gain_db / 10)
            power += share * gain * songs[name].power((kind,), bars[0], bars[1])
    return power


def _fade_power(clip: Clip, first: float, last: float) -> float:
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
        name, kind = split_source_name(clip.source)
        if name in band and not is_vocal(kind) and clip.source not in powers:
            used = [one for one in clips if one.source == clip.source]
            powers[clip.source] = _power_of_clips(used, songs[name], kind)
    balance_db = dict.fromkeys(powers, 0.0)
    if len(band) > 1:
        for source, power in powers.items():
            balance = STEM_BALANCE_LU.get(split_source_name(source)[1], _OTHER_BALANCE_LU)
            balance_db[source] = balance - power_to_db(power) if power else 0.0
    total = sum(power * 10 ** (balance_db[source] / 10) for source, power in powers.items())
    target_db = lufs_to_power_db(BACKING_LUFS)
    common_db = target_db - power_to_db(total) if total > _MIN_POWER else 0.0
    return {source: _limited(stem_db + common_db) for source, stem_db in balance_db.items()}


def _power_of_clips(clips: Sequence[Clip], song: MixSong, kind: str) -> float:
    powers = (clip.bars * song.power((kind,), clip.from_bar, clip.source_end_bar) for clip in clips)
    return sum(powers) / sum(clip.bars for clip in clips)


def _vocal_gain(
    sung: Sequence[Clip],
    backing: Sequence[Clip],
    songs: Mapping[str, MixSong],
    lift_lu: float | None,
) -> float:
    """Return the gain that lifts vocals above the instruments that play while they sing."""
    name, kind = split_source_name(sung[0].source)
    vocals = _sung_power(sung, songs[name], songs[name].stems[kind])
    if not vocals:
        return 0.0
    vocals_db = power_to_db(vocals)
    length = sum(clip.bars for clip in sung)
    below = (
        sum(clip.bars * mean_power(backing, songs, (clip.at_bar, clip.end_bar)) for clip in sung)
        / length
    )
    below_db = power_to_db(below) if below > _MIN_POWER else lufs_to_power_db(BACKING_LUFS)
    if lift_lu is None:
        own = [clip.gain_db for clip in backing if split_source_name(clip.source)[0] == name]
        lowest, highest = _OWN_LIFT_LU
        original_lift_lu = vocals_db + max(own, default=0.0) - below_db
        lift_lu = min(max(original_lift_lu, lowest), highest)
    return _limited(below_db + lift_lu - vocals_db)


def _limited(gain_db: float) -> float:
    return min(_MAX_GAIN_DB, max(-_MAX_GAIN_DB, gain_db))


def _sung_power(sung: Iterable[Clip], song: MixSong, stem: SongStem) -> float:
    envelope = stem.envelope
    used = torch.zeros_like(envelope.playing)
    for clip in sung:
        bars = clip.from_bar, clip.source_end_bar
        first, last = (envelope.step_at(song.grid.time_at(bar)) for bar in bars)
        used[first:last] = True
    powers = envelope.powers[used & envelope.playing]
    return float(powers.mean()) if len(powers) else 0.0
