"""Matching of songs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.grid import FixedTempoGrid
from mashup_worker.mixing.scores import WEIGHTS
from mashup_worker.pipelines.mashup.match import match_songs
from mashup_worker.pipelines.mashup.songs import SongFiles, SongLoader
from tests.unit.pipelines.sample_songs import NAMES, SAMPLES, sample

if TYPE_CHECKING:
    from mashup_worker.mixing.song import MixSong
    from mashup_worker.pipelines.mashup.song_cache import SongCache


def test_every_pair_of_songs_is_compared_in_both_directions(songs: tuple[MixSong, ...]) -> None:
    result = match_songs(songs)
    assert len(result.matches) == 6
    assert [one.total for one in result.matches] == sorted(
        (one.total for one in result.matches), reverse=True
    )
    both = {(one.vocal_song, one.backing_song): one for one in result.matches}
    a, b = NAMES[1], NAMES[0]
    room = [
        next(score.value for score in one.scores if score.name == "spectrum")
        for one in (both[a, b], both[b, a])
    ]
    assert abs(room[0] - room[1]) > 0.02  # the direction makes a difference
    assert all(one.chords is not None and one.chords.fits for one in result.matches)
    for one in result.matches:
        assert {score.name for score in one.scores} == set(WEIGHTS)
        assert all(0 <= score.value <= 1 and score.reason for score in one.scores)
        assert abs(one.vocal_semitones) <= 2
        assert abs(one.backing_semitones) <= 2
    assert json.loads(json.dumps(result.as_dict()))["matches"][0]["suggestion"]["tempo_bpm"]


def test_a_copy_of_a_song_is_its_best_match(songs: tuple[MixSong, ...]) -> None:
    twin = replace(songs[0], name="twin")
    matches = match_songs([songs[0], twin, songs[1]]).matches
    assert {matches[0].vocal_song, matches[0].backing_song} == {NAMES[0], "twin"}
    scores = {score.name: score.value for score in matches[0].scores}
    assert scores["tempo"] == 1
    assert scores["rhythm"] > 0.99


def test_songs_without_a_common_tempo_have_a_total_of_0(songs: tuple[MixSong, ...]) -> None:
    waltz = replace(songs[1], name="waltz", grid=FixedTempoGrid(92.0, 3))
    match = match_songs([songs[0], waltz]).matches[0]
    assert match.total == 0
    assert match.tempo_bpm is None
    assert "beats a bar" in match.scores[0].reason


def test_an_unseparated_song_is_matched_by_its_mix(cache: SongCache) -> None:
    whole = SongFiles("whole", {}, SAMPLES / NAMES[1] / "mix.flac")
    loaded = SongLoader(cache, None).load([sample(NAMES[0]), whole])
    result = match_songs(loaded.songs)
    assert len(result.matches) == 2
    assert any("not separated" in note for note in result.notes)


def test_a_single_song_and_songs_without_vocals_are_refused(songs: tuple[MixSong, ...]) -> None:
    with pytest.raises(InvalidInput, match="two songs"):
        match_songs(songs[:1])
    mute = [
        replace(song, stems={kind: part for kind, part in song.stems.items() if kind != "vocals"})
        for song in songs[:2]
    ]
    with pytest.raises(InvalidInput, match="no song has vocals"):
        match_songs(mute)
