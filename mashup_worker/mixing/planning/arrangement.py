"""What an arrangement is, and what its forms have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.mixing.plan import Automation, Clip, Section
from mashup_worker.mixing.song import DRUMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mashup_worker.mixing.plan import Source
    from mashup_worker.mixing.song import MixSong

OPEN_HZ = 20_000.0
"""A low-pass filter there takes nothing away."""

_LAST_FADE_BARS = 2.0


@dataclass(frozen=True)
class Arrangement:
    """What plays when, before levels are set.

    Attributes:
        bars: length.
        clips: what plays.
        sections: names for stretches of it.
        bands: names of songs whose instruments play together.
        notes: what a person should know.
    """

    bars: int
    clips: tuple[Clip, ...]
    sections: tuple[Section, ...]
    bands: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def bands(songs: Sequence[MixSong]) -> list[tuple[MixSong, ...]]:
    """Songs that play together: those in a row whose instruments complete each other.

    Two whole songs take turns; the drums of one song and the bass of another are a band.
    """
    found: list[list[MixSong]] = []
    for song in songs:
        taken = {kind for one in found[-1] for kind in one.instruments} if found else set()
        if found and not clash(taken, song.instruments):
            found[-1].append(song)
        else:
            found.append([song])
    return [tuple(one) for one in found]


def clash(taken: Iterable[str], kinds: Iterable[str]) -> bool:
    """Whether two sets of parts hold the same part; a mix without a part holds all others."""
    taken, kinds = set(taken), set(kinds)
    whole = any(kind.startswith("no_") for kind in taken | kinds)
    return bool(taken & kinds) or (whole and bool(taken) and bool(kinds))


def length_note(wanted_s: float | None, got_s: float, why: str) -> tuple[str, ...]:
    """What to say where the length differs from what was asked for by more than half a second."""
    if wanted_s is None or abs(got_s - wanted_s) <= 0.5:
        return ()
    return (f"{got_s:.1f} s instead of {wanted_s:.1f} s: {why}",)


def opened(clips: Iterable[Clip], from_hz: float, until_bar: float) -> list[Clip]:
    """Clips behind a low-pass filter that opens until a bar; drums stay as they are."""
    return [
        clip
        if from_hz >= OPEN_HZ or clip.at_bar >= until_bar or clip.source.endswith(f"/{DRUMS}")
        else clip.model_copy(
            update={
                "automation": (
                    *clip.automation,
                    Automation(
                        parameter="low_pass_hz",
                        points=((0.0, from_hz), (float(until_bar), OPEN_HZ)),
                    ),
                )
            }
        )
        for clip in clips
    ]


def closed(clips: Iterable[Clip], bars: float) -> list[Clip]:
    """Clips that fade out where the mashup ends with them."""
    return [
        clip
        if clip.end_bar < bars - 1e-6
        else clip.model_copy(
            update={"fade_out_bars": min(_LAST_FADE_BARS, clip.bars - clip.fade_in_bars)}
        )
        for clip in clips
    ]


def stretched(
    clips: Iterable[Clip], sources: Mapping[str, Source], bar_s: float, engine: str
) -> tuple[Clip, ...]:
    """Clips with how far each is stretched, and by what, written down."""
    return tuple(
        clip.model_copy(
            update={
                "engine": engine,
                "stretch_ratio": round(
                    clip.bars * bar_s / (clip.source_bars * sources[clip.source].grid.bar_s), 6
                ),
            }
        )
        for clip in clips
    )
