"""How one song gives way to another: on a downbeat, with one bass on each side of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mashup_worker.mixing.material import BASS, is_vocal, source_name
from mashup_worker.mixing.plan import Automation, Clip

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mashup_worker.mixing.material import MixSong
    from mashup_worker.mixing.vibes import Transition

_NO_BASS_DB = -36.0
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


def play(stays: Sequence[Stay], transition: Transition, shared_bars: int) -> Iterator[Clip]:
    """Clips for songs that follow one another.

    Where a stay follows one of the same song, it just goes on or loops. Where the song changes,
    both play for `shared_bars`, half of them on each side of the downbeat, as far as both songs
    have the bars.
    """
    for index, stay in enumerate(stays):
        before = stays[index - 1] if index else None
        after = stays[index + 1] if index + 1 < len(stays) else None
        half_in = _half(before, stay, shared_bars) if before and transition != "cut" else 0.0
        half_out = _half(stay, after, shared_bars) if after and transition != "cut" else 0.0
        for kind in stay.kinds:
            entry = _entry(kind, transition, stay.at_bar, half_in)
            leave = _leave(kind, transition, stay.end_bar, half_out)
            yield _clip(stay, kind, entry, leave)


def _half(before: Stay, after: Stay | None, shared_bars: int) -> float:
    """Bars that both play on each side of the downbeat between them."""
    if after is None or before.song is after.song:
        return 0.0
    lead = int(after.from_bar / after.factor)
    rest = int((before.song.bars - before.from_bar) / before.factor - before.bars)
    room = int(min(before.bars, after.bars) // 2)
    return float(max(0, min(shared_bars // 2, lead, rest, room)))


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
        semitones=0.0 if kind == "drums" else stay.semitones,
        fade_in_bars=entry.fade_bars,
        fade_out_bars=leave.fade_bars,
        automation=entry.automation + leave.automation,
    )


def merged(stays: Sequence[Stay]) -> list[Stay]:
    """The same with stays that go on where the one before ended joined to it."""
    out: list[Stay] = []
    for stay in stays:
        last = out[-1] if out else None
        if (
            last is not None
            and last.song is stay.song
            and last.kinds == stay.kinds
            and abs(last.end_bar - stay.at_bar) < 1e-6
            and abs(last.from_bar + last.bars * last.factor - stay.from_bar) < 1e-6
        ):
            out[-1] = replace(last, bars=last.bars + stay.bars)
        else:
            out.append(stay)
    return out
