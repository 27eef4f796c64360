"""Arrangement of clips, and the operations that both forms share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.mixing.plan import LOW_PASS_OPEN_HZ, Automation, Clip, Section, required_ratio
from mashup_worker.mixing.song import DRUMS
from mashup_worker.vocabulary import COMPLEMENT_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mashup_worker.mixing.plan import PlanSource
    from mashup_worker.mixing.plan_grid import PlanGrid
    from mashup_worker.mixing.song import MixSong

_FINAL_FADE_BARS = 2.0
_LENGTH_TOLERANCE_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Arrangement:
    """Placed clips without gains; `bands` are songs whose instruments play together.

    `tempo_changes` are bars, and the tempo from there on.
    """

    bars: int
    clips: tuple[Clip, ...]
    sections: tuple[Section, ...]
    bands: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    tempo_changes: tuple[tuple[float, float], ...] = ()


def group_bands(songs: Sequence[MixSong]) -> list[tuple[MixSong, ...]]:
    """Group consecutive songs whose instruments complement each other.

    The drums of one song and the bass of another play together; two whole songs do not.
    """
    bands: list[list[MixSong]] = []
    for song in songs:
        taken = {kind for member in bands[-1] for kind in member.instruments} if bands else set()
        if bands and not _overlap(taken, song.instruments):
            bands[-1].append(song)
        else:
            bands.append([song])
    return [tuple(band) for band in bands]


def _overlap(taken: Iterable[str], kinds: Iterable[str]) -> bool:
    """Return whether two sets of stems share an instrument; `no_<kind>` holds all others."""
    taken, kinds = set(taken), set(kinds)
    complements = any(kind.startswith(COMPLEMENT_PREFIX) for kind in taken | kinds)
    return bool(taken & kinds) or (complements and bool(taken) and bool(kinds))


def length_note(requested_s: float | None, actual_s: float, reason: str) -> tuple[str, ...]:
    """Return a note where the length differs from the requested one by more than 0.5 s."""
    if requested_s is None or abs(actual_s - requested_s) <= _LENGTH_TOLERANCE_S:
        return ()
    return (f"{actual_s:.1f} s instead of {requested_s:.1f} s: {reason}",)


def open_filter(clips: Iterable[Clip], from_hz: float, until_bar: float) -> list[Clip]:
    """Add a low-pass filter that opens until a bar to all clips but drums."""
    if from_hz >= LOW_PASS_OPEN_HZ:
        return list(clips)
    sweep = Automation(
        parameter="low_pass_hz", points=((0.0, from_hz), (float(until_bar), LOW_PASS_OPEN_HZ))
    )
    return [
        clip
        if clip.at_bar >= until_bar or clip.source.endswith(f"/{DRUMS}")
        else clip.model_copy(update={"automation": (*clip.automation, sweep)})
        for clip in clips
    ]


def fade_out_end(clips: Iterable[Clip], bars: float) -> list[Clip]:
    """Add a fade-out to the clips that end with the mashup."""
    return [
        clip
        if clip.end_bar < bars - 1e-6
        else clip.model_copy(
            update={"fade_out_bars": min(_FINAL_FADE_BARS, clip.bars - clip.fade_in_bars)}
        )
        for clip in clips
    ]


def set_stretch(
    clips: Sequence[Clip],
    sources: Mapping[str, PlanSource],
    grid: PlanGrid,
    *,
    engine: str | None = None,
) -> tuple[Clip, ...]:
    """Set the stretch ratio of clips, and the engine if one is given."""
    ratios = (required_ratio(clip, sources[clip.source], grid) for clip in clips)
    return tuple(
        clip.model_copy(update={"engine": engine or clip.engine, "stretch_ratio": round(ratio, 6)})
        for clip, ratio in zip(clips, ratios, strict=True)
    )
