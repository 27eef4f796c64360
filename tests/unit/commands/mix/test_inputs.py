"""Arguments that name the stems of songs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mashup_worker.commands.check import find_stems
from mashup_worker.commands.mix.inputs import songs_of_arguments, songs_of_stems, stem_argument
from mashup_worker.errors import InvalidInput
from mashup_worker.pipelines.mashup.songs import SongFiles

if TYPE_CHECKING:
    from mashup_worker.commands.shared.inputs import FoundSongs


@pytest.mark.parametrize(
    ("text", "path", "kind", "song"),
    [
        ("a/b/vocals.flac:vocals", "a/b/vocals.flac", "vocals", "b"),
        ("a/song.wav:drums", "a/song.wav", "drums", "song"),
        ("song.wav:Bass:My Song", "song.wav", "bass", "My Song"),
        ("c:/x.wav:other", "c:/x.wav", "other", "x"),
        ("12:30.wav:no_vocals:S", "12:30.wav", "no_vocals", "S"),
        ("a/x.wav:Accompaniment", "a/x.wav", "no_vocals", "x"),
        ("a/b/accompaniment.wav:no_vocals", "a/b/accompaniment.wav", "no_vocals", "b"),
        ("x.wav:instrumental:S", "x.wav", "no_vocals", "S"),
    ],
)
def test_a_stem_argument_has_file_kind_and_song(text: str, path: str, kind: str, song: str) -> None:
    found = stem_argument(text)
    assert (found.path, found.kind, found.song) == (Path(path), kind, song)


@pytest.mark.parametrize("text", ["song.wav", "song.wav:lute", "song.wav:vocals:", ":"])
def test_an_invalid_stem_argument_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="FILE:KIND"):
        stem_argument(text)


def test_stems_of_other_separators_are_one_song(tmp_path: Path) -> None:
    folder = tmp_path / "My Song"
    folder.mkdir()
    paths = {"vocals": folder / "vocals.wav", "no_vocals": folder / "Accompaniment.wav"}
    for path in paths.values():
        path.touch()
    wanted = [SongFiles("My Song", paths)]
    assert songs_of_arguments([str(folder)]) == wanted
    assert songs_of_arguments([str(path) for path in paths.values()]) == wanted
    assert sorted(find_stems(tmp_path)) == [
        ("My Song", kind, paths[kind]) for kind in sorted(paths)
    ]


def test_a_song_named_twice_plays_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = ("a.mp3", "b.mp3", "a (2).mp3", "s/vocals.wav", "s/drums.wav")
    a, b, other, vocals, drums = (Path(name) for name in names)
    for path in (a, b, other, vocals, drums):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    stems = {"vocals": vocals, "drums": drums}

    def named(*arguments: str) -> list[SongFiles]:
        return songs_of_arguments(arguments)

    assert named("a.mp3", "b.mp3", "./a.mp3", "a.mp3") == [
        SongFiles("a", {}, a),
        SongFiles("b", {}, b),
        SongFiles("a (2)", {}, a),
        SongFiles("a (3)", {}, a),
    ]
    assert named("a.mp3", "a.mp3", "a (2).mp3") == [
        SongFiles("a", {}, a),
        SongFiles("a (3)", {}, a),
        SongFiles("a (2)", {}, other),
    ]
    assert named("s", "s") == [SongFiles("s", stems), SongFiles("s (2)", stems)]
    assert named("s/vocals.wav", "s/drums.wav", "s/vocals.wav") == [
        SongFiles("s", stems),
        SongFiles("s (2)", {"vocals": vocals}),
    ]
    twice = ["s/vocals.wav:vocals", "s/drums.wav:drums"] * 2
    assert songs_of_stems(twice) == [SongFiles("s", stems), SongFiles("s (2)", stems)]
    assert songs_of_arguments(["a.mp3", "a.mp3"], repeats=False) == [SongFiles("a", {}, a)]


def test_a_kind_twice_in_a_song_is_refused() -> None:
    with pytest.raises(InvalidInput, match="one already has drums"):
        songs_of_stems(["a.wav:drums:one", "b.wav:drums:one"])
    with pytest.raises(InvalidInput, match="one already has no_vocals"):
        songs_of_stems(["a.wav:no_vocals:one", "b.wav:accompaniment:one"])


@pytest.fixture
def stems(tmp_path: Path) -> Path:
    """Stems of two songs whose names begin with dots, and files that are no stems."""
    for name in ("...And Justice/vocals.wav", "...And Justice/bass.wav", ".b/drums.W64"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    for name in ("._vocals.wav", "separation.json"):
        (tmp_path / "...And Justice" / name).touch()
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/vocals.wav").touch()
    return tmp_path


def test_stems_of_songs_whose_names_begin_with_dots_are_checked(stems: Path) -> None:
    found = {(song, kind) for song, kind, _ in find_stems(stems)}
    assert found == {("...And Justice", "bass"), ("...And Justice", "vocals"), (".b", "drums")}


def test_songs_of_folders_come_with_the_files_that_are_left_out(stems: Path) -> None:
    (stems / "cover.jpg").touch()
    found: list[FoundSongs] = []
    songs = songs_of_arguments([str(stems)], found.append)
    assert {song.name: set(song.stems) for song in songs} == {
        "...And Justice": {"vocals", "bass"},
        ".b": {"drums"},
    }
    assert found[0].left_out == [stems / "cover.jpg"]
