"""How one song gives way to another: on a downbeat, with one bass on each side of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.mixing.plan import Automation, Clip
from mashup_worker.mixing.song import BASS, DRUMS, is_vocal, source_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.mixing.song import MixSong
    from mashup_worker.mixing.vibes import Transition

_NO_BASS_DB = -36.0
_SAME_BAR = 1e-6
_OPEN_HZ, _THIN_HZ, _DARK_HZ, _DEEP_HZ = 20_000.0, 1_200.0, 300.0, 20.0


@dataclass(frozen=True)
class Stay:
    """A stretch of the mashup in which a song plays on from one of its bars.

    Attributes:
        song: the song.
        at_bar: where it begins in the mashup.
        bars: how long it stays.
        from_bar: where it begins in the song.
        factor: bars of the song a bar of the mashup.
        kinds: the parts that play.
        semitones: how far its pitch moves; drums stay.
    """

    song: MixSong
    at_bar: float
    bars: float
    from_bar: float
    factor: float
    kinds: tuple[str, ...]
    semitones: float = 0.0

    @property
    def end_bar(self) -> float:
        """Where it ends in the mashup."""
        return self.at_bar + self.bars


@dataclass(frozen=True)
class Turn:
    """A stretch of the mashup that belongs to some songs together.

    Attributes:
        at_bar: where it begins.
        bars: how long it is.
        stays: what fills it; more than one of a song where that loops.
    """

    at_bar: float
    bars: float
    stays: tuple[Stay, ...]

    @property
    def end_bar(self) -> float:
        """Where it ends in the mashup."""
        return self.at_bar + self.bars

    @property
    def songs(self) -> frozenset[str]:
        """Names of the songs that play."""
        return frozenset(stay.song.name for stay in self.stays)


@dataclass(frozen=True)
class _Edge:
    """What happens to a part at one end of a stay.

    Attributes:
        reach_bars: how far it plays beyond that end.
        fade_bars: its fade there.
        automation: what moves meanwhile.
    """

    reach_bars: float = 0.0
    fade_bars: float = 0.0
    automation: tuple[Automation, ...] = ()


_PLAIN = _Edge()


def play(turns: Sequence[Turn], transition: Transition, shared_bars: int) -> list[Clip]:
    """Clips for bands that take turns.

    Where a turn follows one of the same songs, they just go on or loop. Where the songs change,
    both play for `shared_bars`, half of them on each side of the downbeat, as far as all songs
    have the bars.
    """
    clips = []
    for index, turn in enumerate(turns):
        before = turns[index - 1] if index else None
        after = turns[index + 1] if index + 1 < len(turns) else None
        half_in = _half(before, turn, shared_bars) if before and transition != "cut" else 0.0
        half_out = _half(turn, after, shared_bars) if after and transition != "cut" else 0.0
        for stay in turn.stays:
            first, last = stay.at_bar == turn.at_bar, stay.end_bar == turn.end_bar
            for kind in stay.kinds:
                entry = _entry(kind, transition, stay.at_bar, half_in) if first else _PLAIN
                leave = _leave(kind, transition, stay.end_bar, half_out) if last else _PLAIN
                clips.append(_clip(stay, kind, entry, leave))
    return joined(clips)


def _half(before: Turn, after: Turn, shared_bars: int) -> float:
    """Bars that both play on each side of the downbeat between them."""
    if before.songs == after.songs:
        return 0.0
    leads = [
        int(stay.from_bar / stay.factor) for stay in after.stays if stay.at_bar == after.at_bar
    ]
    rests = [
        int((stay.song.bars - stay.from_bar) / stay.factor - stay.bars)
        for stay in before.stays
        if stay.end_bar == before.end_bar
    ]
    room = int(min(before.bars, after.bars) // 2)
    return float(max(0, min(shared_bars // 2, room, *leads, *rests)))


def _entry(kind: str, transition: Transition, bar: float, half: float) -> _Edge:
    if half == 0 or kind == BASS or is_vocal(kind):
        return _PLAIN
    start, stop = bar - half, bar + half
    if transition == "bass_swap":
        quiet = Automation(parameter="bass_db", points=((bar - 0.01, _NO_BASS_DB), (bar, 0.0)))
        return _Edge(half, half, (quiet,))
    if transition == "filter_sweep":
        opens = Automation(parameter="low_pass_hz", points=((start, _DARK_HZ), (stop, _OPEN_HZ)))
        return _Edge(half, half, (opens,))
    return _Edge(half, 2 * half)


def _leave(kind: str, transition: Transition, bar: float, half: float) -> _Edge:
    if half == 0 or kind == BASS or is_vocal(kind):
        return _PLAIN
    start, stop = bar - half, bar + half
    if transition == "bass_swap":
        quiet = Automation(parameter="bass_db", points=((bar - 0.01, 0.0), (bar, _NO_BASS_DB)))
        return _Edge(half, half, (quiet,))
    if transition == "filter_sweep":
        thins = Automation(parameter="high_pass_hz", points=((start, _DEEP_HZ), (stop, _THIN_HZ)))
        return _Edge(half, half, (thins,))
    return _Edge(half, 2 * half)


def _clip(stay: Stay, kind: str, entry: _Edge, leave: _Edge) -> Clip:
    bars = stay.bars + entry.reach_bars + leave.reach_bars
    return Clip(
        source=source_name(stay.song, kind),
        at_bar=stay.at_bar - entry.reach_bars,
        bars=bars,
        from_bar=stay.from_bar - entry.reach_bars * stay.factor,
        source_bars=bars * stay.factor,
        semitones=0.0 if kind == DRUMS else stay.semitones,
        fade_in_bars=entry.fade_bars,
        fade_out_bars=leave.fade_bars,
        automation=entry.automation + leave.automation,
    )


def joined(clips: Sequence[Clip]) -> list[Clip]:
    """The same clips, those that go on where another ended joined to it."""
    out: list[Clip] = []
    open_clips: dict[str, int] = {}
    for clip in sorted(clips, key=lambda clip: clip.at_bar):
        place = open_clips.get(clip.source)
        if place is not None and _goes_on(out[place], clip):
            last = out[place]
            out[place] = last.model_copy(
                update={
                    "bars": last.bars + clip.bars,
                    "source_bars": last.source_bars + clip.source_bars,
                    "fade_out_bars": clip.fade_out_bars,
                    "automation": last.automation + clip.automation,
                }
            )
        else:
            open_clips[clip.source] = len(out)
            out.append(clip)
    return out


def _goes_on(last: Clip, clip: Clip) -> bool:
    return (
        abs(last.end_bar - clip.at_bar) < _SAME_BAR
        and abs(last.from_bar + last.source_bars - clip.from_bar) < _SAME_BAR
        and abs(last.tempo_factor - clip.tempo_factor) < _SAME_BAR
        and (last.semitones, last.gain_db) == (clip.semitones, clip.gain_db)
        and last.fade_out_bars == clip.fade_in_bars == 0
    )
