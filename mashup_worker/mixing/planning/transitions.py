"""Transitions between songs: on a downbeat, with one bass on each side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.mixing.plan import LOW_PASS_OPEN_HZ, Automation, Clip
from mashup_worker.mixing.song import BASS, DRUMS, is_vocal, source_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.mixing.song import MixSong
    from mashup_worker.vocabulary import TransitionName

_BASS_OFF_DB = -36.0
_BASS_SWAP_BARS = 0.01
_SAME_BAR = 1e-6
_ENTRY_LOW_PASS_HZ = 300.0, LOW_PASS_OPEN_HZ
_EXIT_HIGH_PASS_HZ = 20.0, 1_200.0


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Song that plays in a section of the mashup, transposed but for its drums."""

    song: MixSong
    at_bar: float
    bars: float
    from_bar: float
    tempo_factor: float
    kinds: tuple[str, ...]
    semitones: float = 0.0

    @property
    def end_bar(self) -> float:
        """End in the mashup."""
        return self.at_bar + self.bars


@dataclass(frozen=True)
class Block:
    """Section of the mashup in which the same songs play together.

    A song that loops has several placements. `tempo_bpm` is None for the mashup's only tempo.
    """

    at_bar: float
    bars: float
    placements: tuple[Placement, ...]
    tempo_bpm: float | None = None

    @property
    def end_bar(self) -> float:
        """End in the mashup."""
        return self.at_bar + self.bars

    @property
    def songs(self) -> frozenset[str]:
        """Names of its songs."""
        return frozenset(one.song.name for one in self.placements)


@dataclass(frozen=True)
class _Edge:
    overlap_bars: float = 0.0
    fade_bars: float = 0.0
    automation: tuple[Automation, ...] = ()


_HARD_EDGE = _Edge()


def block_clips(
    blocks: Sequence[Block], transition: TransitionName, shared_bars: int
) -> list[Clip]:
    """Return the clips of consecutive blocks with transitions between them.

    Blocks of the same songs continue or loop without a transition. Otherwise both play in
    `shared_bars`, half of them on each side of the downbeat, or fewer where a song has fewer, and
    none where the tempo changes.
    """
    clips = []
    for index, block in enumerate(blocks):
        before = blocks[index - 1] if index else None
        after = blocks[index + 1] if index + 1 < len(blocks) else None
        half_in = _half_overlap(before, block, shared_bars) if transition != "cut" else 0.0
        half_out = _half_overlap(block, after, shared_bars) if transition != "cut" else 0.0
        for one in block.placements:
            is_first, is_last = one.at_bar == block.at_bar, one.end_bar == block.end_bar
            for kind in one.kinds:
                entry = exit_ = _HARD_EDGE
                if is_first:
                    entry = _edge(kind, transition, one.at_bar, half_in, enters=True)
                if is_last:
                    exit_ = _edge(kind, transition, one.end_bar, half_out, enters=False)
                clips.append(_clip(one, kind, entry, exit_))
    return join_clips(clips)


def _half_overlap(before: Block | None, after: Block | None, shared_bars: int) -> float:
    if before is None or after is None or before.songs == after.songs:
        return 0.0
    if before.tempo_bpm != after.tempo_bpm:
        return 0.0
    bars_before_entry = [
        int(one.from_bar / one.tempo_factor)
        for one in after.placements
        if one.at_bar == after.at_bar
    ]
    bars_after_exit = [
        int((one.song.bars - one.from_bar) / one.tempo_factor - one.bars)
        for one in before.placements
        if one.end_bar == before.end_bar
    ]
    half_block = int(min(before.bars, after.bars) // 2)
    available = min(shared_bars // 2, half_block, *bars_before_entry, *bars_after_exit)
    return float(max(0, available))


def _edge(kind: str, transition: TransitionName, bar: float, half: float, *, enters: bool) -> _Edge:
    if half == 0 or kind == BASS or is_vocal(kind):
        return _HARD_EDGE
    if transition == "bass_swap":
        before_db, after_db = (_BASS_OFF_DB, 0.0) if enters else (0.0, _BASS_OFF_DB)
        points = (bar - _BASS_SWAP_BARS, before_db), (bar, after_db)
        return _Edge(half, half, (Automation(parameter="bass_db", points=points),))
    if transition == "filter_sweep":
        low_hz, high_hz = _ENTRY_LOW_PASS_HZ if enters else _EXIT_HIGH_PASS_HZ
        curve = Automation(
            parameter="low_pass_hz" if enters else "high_pass_hz",
            points=((bar - half, low_hz), (bar + half, high_hz)),
        )
        return _Edge(half, half, (curve,))
    return _Edge(half, 2 * half)


def _clip(placement: Placement, kind: str, entry: _Edge, exit_: _Edge) -> Clip:
    bars = placement.bars + entry.overlap_bars + exit_.overlap_bars
    return Clip(
        source=source_name(placement.song, kind),
        at_bar=placement.at_bar - entry.overlap_bars,
        bars=bars,
        from_bar=placement.from_bar - entry.overlap_bars * placement.tempo_factor,
        source_bars=bars * placement.tempo_factor,
        semitones=0.0 if kind == DRUMS else placement.semitones,
        fade_in_bars=entry.fade_bars,
        fade_out_bars=exit_.fade_bars,
        automation=entry.automation + exit_.automation,
    )


def join_clips(clips: Sequence[Clip]) -> list[Clip]:
    """Join clips that continue a clip of the same source."""
    joined: list[Clip] = []
    last_of_source: dict[str, int] = {}
    for clip in sorted(clips, key=lambda clip: clip.at_bar):
        index = last_of_source.get(clip.source)
        if index is not None and _continues(joined[index], clip):
            last = joined[index]
            joined[index] = last.model_copy(
                update={
                    "bars": last.bars + clip.bars,
                    "source_bars": last.source_bars + clip.source_bars,
                    "fade_out_bars": clip.fade_out_bars,
                    "automation": last.automation + clip.automation,
                }
            )
        else:
            last_of_source[clip.source] = len(joined)
            joined.append(clip)
    return joined


def _continues(last: Clip, clip: Clip) -> bool:
    return (
        abs(last.end_bar - clip.at_bar) < _SAME_BAR
        and abs(last.source_end_bar - clip.from_bar) < _SAME_BAR
        and abs(last.tempo_factor - clip.tempo_factor) < _SAME_BAR
        and (last.semitones, last.gain_db) == (clip.semitones, clip.gain_db)
        and last.fade_out_bars == clip.fade_in_bars == 0
    )
