"""Transitions between blocks of songs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mashup_worker.mixing.planning.transitions import Block, Placement, block_clips, join_clips
from mashup_worker.vocabulary import TRANSITIONS, TransitionName
from tests.unit.mashups import song

if TYPE_CHECKING:
    from mashup_worker.mixing.song import MixSong


def full(name: str, bars: int = 16) -> MixSong:
    return song(name, bars=bars, drums=range(16), bass=range(16), other=range(16))


def block(of: MixSong, at_bar: float, bars: float, from_bar: float, semitones: float = 0) -> Block:
    placement = Placement(
        song=of,
        at_bar=at_bar,
        bars=bars,
        from_bar=from_bar,
        tempo_factor=1.0,
        kinds=tuple(of.stems),
        semitones=semitones,
    )
    return Block(at_bar, bars, (placement,))


def two_blocks(first: MixSong, second: MixSong) -> list[Block]:
    return [block(first, 0, 8, 0, 1.0), block(second, 8, 8, 4)]


@pytest.mark.parametrize("transition", TRANSITIONS)
def test_the_bass_changes_on_the_downbeat(transition: TransitionName) -> None:
    clips = block_clips(two_blocks(full("a"), full("b")), transition, 4)
    basses = [(clip.source, clip.at_bar, clip.end_bar) for clip in clips if "bass" in clip.source]
    assert basses == [("a/bass", 0, 8), ("b/bass", 8, 16)]
    shared = {clip.source: (clip.at_bar, clip.end_bar) for clip in clips if "other" in clip.source}
    overlap = 0 if transition == "cut" else 2
    assert shared == {"a/other": (0, 8 + overlap), "b/other": (8 - overlap, 16)}
    assert {clip.source: clip.semitones for clip in clips} == {
        "a/drums": 0, "a/bass": 1, "a/other": 1, "b/drums": 0, "b/bass": 0, "b/other": 0,
    }  # fmt: skip
    incoming = next(clip for clip in clips if clip.source == "b/other")
    assert incoming.from_bar == 4 - overlap  # bar 4 of the song still meets bar 8 of the mashup


def test_the_overlap_is_limited_to_bars_that_both_songs_have() -> None:
    clips = block_clips(two_blocks(full("a", bars=9), full("b")), "crossfade", 4)
    assert max(clip.end_bar for clip in clips if clip.source.startswith("a/")) == 9


def test_a_song_that_continues_is_one_clip() -> None:
    drums = song(drums=range(16))
    blocks = [block(drums, 0, 4, 4), block(drums, 4, 4, 8), block(drums, 8, 4, 4)]
    clips = block_clips(blocks, "bass_swap", 4)
    assert [(clip.at_bar, clip.bars, clip.from_bar) for clip in clips] == [(0, 8, 4), (8, 4, 4)]
    assert join_clips(clips) == clips
