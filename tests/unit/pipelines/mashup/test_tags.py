"""Tags of mashups: from those of their songs, and from their plans."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mashup_worker.audio.encode import open_writer
from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.audio.song_tags import NO_TAGS, SongTags
from mashup_worker.pipelines.mashup.tags import mashup_tags, tags_of_plan
from tests.unit.audio_fixtures import music
from tests.unit.mashups import mashup_plan

if TYPE_CHECKING:
    from pathlib import Path

COVER = b"\xff\xd8\xff cover"
NIGHT = SongTags(title="Night", artist="One", album="Dark", isrc="GBAYE6800011")
DAY = SongTags(title="Day", artist="Two", cover=COVER)
SPANS = {"a/vocals": [(0.0, 4.0)], "b/drums": [(0.0, 4.0)], "b/bass": [(0.0, 4.0)]}


def test_titles_artists_and_a_cover_come_from_the_songs_tempo_and_key_from_the_plan() -> None:
    plan = mashup_plan(SPANS, bars=4, tempo_bpm=124.0, key="A minor")
    assert mashup_tags(plan, {"a": NIGHT, "b": DAY}) == SongTags(
        title="Night vs. Day",
        artist="One; Two",
        cover=COVER,
        tempo_bpm=124.0,
        key="Am",
        comment="8A, 124.00 BPM",
    )


def test_songs_without_tags_give_their_names_and_a_repetition_counts_once() -> None:
    plan = mashup_plan({"a/mix": [(0, 2)], "a (2)/mix": [(2, 4)]}, bars=4)
    assert mashup_tags(plan, {}).title == "a vs. a (2)"
    assert mashup_tags(plan, {"a": NIGHT, "a (2)": NIGHT}).title == "Night"
    assert mashup_tags(plan, {}).key is None


@pytest.mark.parametrize("kind", ["vocals", "no_vocals"])
def test_a_plan_names_files_whose_tags_are_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a/{kind}.wav"
    with open_writer(
        path, EncodeOptions("wav"), sample_rate=44_100, channels=2, tags=NIGHT.of_stem(kind)
    ) as writer:
        writer.write(music(0.1).samples)
    plan = mashup_plan({f"a/{kind}": [(0, 1)], "b/bass": [(0, 1)]}, bars=1)
    assert tags_of_plan(plan, tmp_path) == {"a": NIGHT, "b": NO_TAGS}
