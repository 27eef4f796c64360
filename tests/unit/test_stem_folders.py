"""A folder of stems is one song, wherever it is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mashup_worker.commands.shared.inputs import Song, find_songs

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def music(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(*arguments: str) -> list[Song]:
    return find_songs(arguments, stem_folders=True)


def kinds(song: Song) -> dict[str, str]:
    return {kind: path.name for kind, path in song.stems.items()}


def test_a_folder_of_stems_is_one_song_of_its_name(music: Path) -> None:
    make(music / "song", "vocals.flac", "drums.flac", "bass.flac", "other.flac")
    (song,) = found("song")
    assert (str(song.path), song.track) == ("song", "song")
    assert kinds(song) == {k: f"{k}.flac" for k in ("vocals", "drums", "bass", "other")}
    assert all(path.is_file() for path in song.stems.values())


@pytest.mark.parametrize("argument", [".", "../song", "../song/", "../*"])
def test_however_the_folder_is_named_its_song_has_a_name(
    music: Path, monkeypatch: pytest.MonkeyPatch, argument: str
) -> None:
    make(music / "song", "guitar.wav", "piano.mp3")
    monkeypatch.chdir(music / "song")
    (song,) = found(argument)
    assert (song.track, kinds(song)) == ("song", {"guitar": "guitar.wav", "piano": "piano.mp3"})


def test_stem_folders_are_found_among_songs(music: Path) -> None:
    make(music, "in/a.mp3", "in/z.mp3", "in/deep/one/vocals.ogg", "in/deep/one/drums.ogg")
    make(music, "in/deep/song.wav", "in/deep/one/below/other.wav")
    songs = {song.track: len(song.stems) for song in found("in")}
    assert songs == {"a": 0, "z": 0, "deep/song": 0, "deep/one": 2, "deep/one/below/other": 0}


def test_what_lies_beside_the_stems_is_no_stem_and_no_song(music: Path) -> None:
    make(music / "song", "vocals.wav", "no_vocals.wav", "drums.wav", "mix.wav", ".bass.wav")
    make(music / "song", "other.txt", "truth.json")
    (song,) = found("song")
    assert kinds(song) == {"vocals": "vocals.wav", "drums": "drums.wav"}


@pytest.mark.parametrize(
    "names",
    [("vocals.wav", "no_drums.wav"), ("vocals.wav", "vocals.flac"), ("one.wav", "drums.txt")],
)
def test_one_kind_makes_no_song_in_stems(music: Path, names: tuple[str, ...]) -> None:
    make(music / "song", *names)
    songs = found("song")
    assert len(songs) == sum(not name.endswith(".txt") for name in names)
    assert all(not song.stems for song in songs)


def test_a_stem_and_the_mix_without_it_are_one_song(music: Path) -> None:
    make(music / "song", "drums.wav", "no_drums.wav")
    (song,) = found("song")
    assert kinds(song) == {"drums": "drums.wav", "no_drums": "no_drums.wav"}


def test_a_kind_in_two_formats_counts_once(music: Path) -> None:
    make(music / "song", "vocals.wav", "vocals.flac", "Drums.WAV")
    (song,) = found("song")
    assert kinds(song) == {"vocals": "vocals.flac", "drums": "Drums.WAV"}


def test_a_stem_named_outright_is_a_song(music: Path) -> None:
    make(music / "song", "vocals.wav", "drums.wav")
    stem, song = found("song/vocals.wav", "song")
    assert (str(stem.path), stem.track, dict(stem.stems)) == ("song/vocals.wav", "vocals", {})
    assert len(song.stems) == 2


def test_a_song_and_its_stems_have_names_of_their_own(music: Path) -> None:
    make(music, "in/a.mp3", "in/a/vocals.wav", "in/a/drums.wav", "x/a/bass.wav", "x/a/drums.wav")
    assert {song.track for song in found("in")} == {"a", "a.mp3"}
    assert [song.track for song in found("in/a", "x/a")] == ["in/a", "x/a"]


def test_where_they_are_not_asked_for_stems_are_songs(music: Path) -> None:
    make(music / "song", "vocals.wav", "drums.wav")
    assert [song.track for song in find_songs(["song"])] == ["drums", "vocals"]
