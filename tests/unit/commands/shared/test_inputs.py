"""Files, folders, globs and folders of stems become songs, each once and with its own name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mashup_worker.commands.shared.inputs import Song, find_songs
from mashup_worker.errors import InvalidInput


@pytest.fixture
def music(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in (
        *("music/one.mp3", "music/deep/two.FLAC", "music/deep/notes.txt", "other/one.mp3"),
        *("other/one.wav", "music/stems/one/vocals.flac"),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def songs_of(arguments: list[str], output_dir: Path | None = None) -> list[Song]:
    return list(find_songs(arguments, output_dir).songs)


def tracks(songs: list[Song]) -> dict[str, str]:
    return {str(song.path): song.track for song in songs}


@pytest.mark.usefixtures("music")
def test_a_folder_gives_its_songs_with_the_path_below_it() -> None:
    assert tracks(songs_of(["music"], Path("music/stems"))) == {
        "music/one.mp3": "one",
        "music/deep/two.FLAC": "deep/two",
    }


@pytest.mark.usefixtures("music")
@pytest.mark.parametrize("pattern", ["music/**/*.*", "music/*"])
def test_a_glob_leaves_the_results_of_the_last_run_out(pattern: str) -> None:
    found = tracks(songs_of([pattern], Path("music/stems")))
    assert "music/one.mp3" in found
    assert not [path for path in found if "stems" in path]


def test_each_song_comes_once_however_it_is_named(music: Path) -> None:
    (music / "link.mp3").symlink_to(music / "music" / "one.mp3")
    songs = songs_of(["music/one.mp3", "music/../music/one.mp3", "link.mp3", "music/o*.mp3"])
    assert tracks(songs) == {"music/one.mp3": "one"}


@pytest.mark.usefixtures("music")
def test_namesakes_get_distinct_names() -> None:
    songs = songs_of(["music/one.mp3", "other/one.mp3", "other/one.wav", "music/deep/two.FLAC"])
    assert tracks(songs) == {
        "music/one.mp3": "music/one",
        "other/one.mp3": "other/one.mp3",
        "other/one.wav": "other/one.wav",
        "music/deep/two.FLAC": "two",
    }


def test_a_name_with_brackets_is_a_name_where_there_is_such_a_file(music: Path) -> None:
    (music / "song [live].mp3").touch()
    assert tracks(songs_of(["song [live].mp3"])) == {"song [live].mp3": "song [live]"}


@pytest.mark.parametrize("argument", ["gone.mp3", "gone/*.mp3", "n" * 300, "empty"])
def test_an_argument_without_a_match_fails_by_its_name(music: Path, argument: str) -> None:
    (music / "empty").mkdir()
    assert [str(song.path) for song in songs_of([argument])] == [argument]


def test_links_that_lead_in_circles_do_not_matter(music: Path) -> None:
    (music / "music" / "loop.mp3").symlink_to(music / "music" / "loop.mp3")
    (music / "music" / "again").symlink_to(music / "music")
    songs = songs_of(["music"], Path("music/stems"))
    assert {song.track for song in songs} == {"one", "loop", "deep/two"}


@pytest.mark.usefixtures("music")
def test_results_among_the_songs_are_refused() -> None:
    with pytest.raises(InvalidInput, match="choose another --output-dir"):
        songs_of(["music"], Path(f"music{os.sep}..{os.sep}music"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(below: Path, *names: str) -> None:
    for name in names:
        path = below / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(*arguments: str) -> list[Song]:
    return list(find_songs(arguments, stem_folders=True).songs)


def kinds(song: Song) -> dict[str, str]:
    return {kind: path.name for kind, path in song.stems.items()}


def test_a_folder_of_stems_is_one_song_of_its_name(folder: Path) -> None:
    make(folder / "song", "vocals.flac", "drums.flac", "bass.flac", "other.flac")
    (song,) = found("song")
    assert (str(song.path), song.track) == ("song", "song")
    assert kinds(song) == {k: f"{k}.flac" for k in ("vocals", "drums", "bass", "other")}
    assert all(path.is_file() for path in song.stems.values())


@pytest.mark.parametrize("argument", [".", "../song", "../song/", "../*"])
def test_however_the_folder_is_named_its_song_has_a_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch, argument: str
) -> None:
    make(folder / "song", "guitar.wav", "piano.mp3")
    monkeypatch.chdir(folder / "song")
    (song,) = found(argument)
    assert (song.track, kinds(song)) == ("song", {"guitar": "guitar.wav", "piano": "piano.mp3"})


def test_stem_folders_are_found_among_songs(folder: Path) -> None:
    make(folder, "in/a.mp3", "in/z.mp3", "in/deep/one/vocals.ogg", "in/deep/one/drums.ogg")
    make(folder, "in/deep/song.wav", "in/deep/one/below/other.wav")
    songs = {song.track: len(song.stems) for song in found("in")}
    assert songs == {"a": 0, "z": 0, "deep/song": 0, "deep/one": 2, "deep/one/below/other": 0}


def test_exports_beside_the_stems_are_no_songs(folder: Path) -> None:
    make(folder / "in/night", "vocals.flac", "drums.flac", "night markers.wav", "live/set.wav")
    make(folder / "in/night/night loops", "night drums 120 BPM bars 1-4.wav")
    make(folder / "in/night/night 120 BPM", "vocals.wav", "drums.wav")
    assert [song.track for song in found("in")] == ["night", "night/live/set"]


@pytest.mark.parametrize("stem_folders", [True, False])
def test_exports_beside_songs_and_mashups_are_no_songs(folder: Path, stem_folders: bool) -> None:
    make(folder / "in", "a: b.flac", "a_ b click.wav", "a_ b 2 preview.mp3", "a_ b.stem.m4a")
    make(folder / "in", "m.plan.json", "m markers.wav", "n.json", "n ALAC.stem.m4a")
    make(folder / "in/m 120.5 BPM", "a vocals.wav")
    make(folder / "in/m loops", "m a vocals 120 BPM bars 1-4.wav")
    make(folder / "in", "other click.wav")
    make(folder / "in/x loops", "one.wav")
    songs = find_songs(["in"], stem_folders=stem_folders)
    assert [song.track for song in songs.songs] == ["a: b", "other click", "x loops/one"]
    assert len(songs.exports) == 7
    assert songs.note().startswith("left out ")
    assert songs.note().endswith(
        "7 exports of songs: in/a_ b 2 preview.mp3, in/a_ b click.wav and 5 more"
    )
    (named,) = find_songs(["in/a_ b click.wav"]).songs
    assert named.track == "a_ b click"
    by_pattern = find_songs(["in/*"], stem_folders=stem_folders)
    assert [song.path for song in by_pattern.songs] == [song.path for song in songs.songs]


def test_files_beside_the_stems_are_ignored(folder: Path) -> None:
    make(folder / "song", "vocals.wav", "no_vocals.wav", "drums.wav", "mix.wav", ".bass.wav")
    make(folder / "song", "other.txt", "truth.json")
    (song,) = found("song")
    assert kinds(song) == {"vocals": "vocals.wav", "drums": "drums.wav"}


@pytest.mark.parametrize(
    "names",
    [("vocals.wav", "no_drums.wav"), ("vocals.wav", "vocals.flac"), ("one.wav", "drums.txt")],
)
def test_one_kind_makes_no_song_in_stems(folder: Path, names: tuple[str, ...]) -> None:
    make(folder / "song", *names)
    songs = found("song")
    assert len(songs) == sum(not name.endswith(".txt") for name in names)
    assert all(not song.stems for song in songs)


def test_a_stem_and_the_mix_without_it_are_one_song(folder: Path) -> None:
    make(folder / "song", "drums.wav", "no_drums.wav")
    (song,) = found("song")
    assert kinds(song) == {"drums": "drums.wav", "no_drums": "no_drums.wav"}


def test_a_kind_in_two_formats_counts_once(folder: Path) -> None:
    make(folder / "song", "vocals.wav", "vocals.flac", "Drums.WAV")
    (song,) = found("song")
    assert kinds(song) == {"vocals": "vocals.flac", "drums": "Drums.WAV"}


def test_a_stem_named_outright_is_a_song(folder: Path) -> None:
    make(folder / "song", "vocals.wav", "drums.wav")
    stem, song = found("song/vocals.wav", "song")
    assert (str(stem.path), stem.track, dict(stem.stems)) == ("song/vocals.wav", "vocals", {})
    assert len(song.stems) == 2


def test_a_song_and_its_stems_have_names_of_their_own(folder: Path) -> None:
    make(folder, "in/a.mp3", "in/a/vocals.wav", "in/a/drums.wav", "x/a/bass.wav", "x/a/drums.wav")
    assert {song.track for song in found("in")} == {"a", "a.mp3"}
    assert [song.track for song in found("in/a", "x/a")] == ["in/a", "x/a"]


def test_where_they_are_not_asked_for_stems_are_songs(folder: Path) -> None:
    make(folder / "song", "vocals.wav", "drums.wav")
    assert [song.track for song in songs_of(["song"])] == ["drums", "vocals"]
