"""Names of songs and results: distinct on every file system, and shown on one line."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from mashup_worker.commands.shared.inputs import Song
from mashup_worker.commands.shared.names import fitting, folded, one_line, with_distinct_tracks

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "Café") for form in ("NFC", "NFD"))


def tracks(*paths: str) -> list[str]:
    songs = [Song(Path(path), Path(path).stem) for path in paths]
    return [song.track for song in with_distinct_tracks(songs)]


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (("a/song.mp3", "b/song.mp3"), ["a/song", "b/song"]),
        (("song.mp3", "song.flac"), ["song.mp3", "song.flac"]),
        (("Song.mp3", "song.mp3"), ["Song", "song (2)"]),
        (("Song.mp3", "song.mp3", "song.wav"), ["Song", "song (2)", "song.wav"]),
        ((f"{COMPOSED}.mp3", f"{DECOMPOSED}.mp3"), [COMPOSED, f"{DECOMPOSED} (2)"]),
        (("A/song.mp3", "a/song.mp3"), ["A/song", "a/song (2)"]),
        (("a.mp3", "A.mp3", "a (2).mp3"), ["a", "A (3)", "a (2)"]),
        (("song.mp3", "song.wav", "x/song.mp3.mp3"), ["song.mp3 (2)", "song.wav", "song.mp3"]),
        (("STRASSE.mp3", "straße.mp3"), ["STRASSE", "straße (2)"]),
    ],
)
def test_no_two_tracks_are_the_same_to_any_file_system(
    paths: tuple[str, ...], expected: list[str]
) -> None:
    found = tracks(*paths)
    assert found == expected
    assert len(set(map(folded, found))) == len(found)


def test_songs_below_a_folder_keep_their_paths() -> None:
    songs = [Song(Path(f"in/cd 1/{name}"), "cd 1/one") for name in ("one.mp3", "one.flac")]
    assert [song.track for song in with_distinct_tracks(songs)] == ["cd 1/one.mp3", "cd 1/one.flac"]


@pytest.mark.parametrize("name", ["x" * 251, "é" * 126, "x" * 250 + "é", "y" * 400])
def test_long_names_fit_and_stay_distinct(name: str) -> None:
    short = fitting(name, ".json")
    assert len(short.encode()) <= 255
    assert short.endswith(".json")
    assert short != fitting(f"{name}z", ".json")
    assert fitting("x" * 250, ".json") == "x" * 250 + ".json"


def test_control_characters_are_escaped() -> None:
    assert one_line("a\nb\t\x1b[31m\x9b é\u00a0.mp3") == r"a\nb\t\x1b[31m\x9b é" + "\u00a0.mp3"
