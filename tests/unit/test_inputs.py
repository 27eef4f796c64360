"""Files, folders and globs become songs, each once and each with a name of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mashup_worker.commands.separate.targets import DEFAULT_TEMPLATE, Targets
from mashup_worker.commands.shared.inputs import Song, find_songs
from mashup_worker.errors import InvalidInput

KINDS = ("vocals", "drums")


@pytest.fixture
def music(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in (
        *("music/one.mp3", "music/deep/two.FLAC", "music/deep/notes.txt", "music/.hidden/x.mp3"),
        *("music/.part.mp3", "other/one.mp3", "other/one.wav", "music/stems/one/vocals.flac"),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def tracks(songs: list[Song]) -> dict[str, str]:
    return {str(song.path): song.track for song in songs}


@pytest.mark.usefixtures("music")
def test_a_folder_gives_its_songs_with_the_path_below_it() -> None:
    assert tracks(find_songs(["music"], Path("music/stems"))) == {
        "music/one.mp3": "one",
        "music/deep/two.FLAC": "deep/two",
    }


@pytest.mark.usefixtures("music")
@pytest.mark.parametrize("pattern", ["music/**/*.*", "music/*"])
def test_a_glob_leaves_the_results_of_the_last_run_out(pattern: str) -> None:
    found = tracks(find_songs([pattern], Path("music/stems")))
    assert "music/one.mp3" in found
    assert not [path for path in found if "stems" in path]


def test_each_song_comes_once_however_it_is_named(music: Path) -> None:
    (music / "link.mp3").symlink_to(music / "music" / "one.mp3")
    songs = find_songs(["music/one.mp3", "music/../music/one.mp3", "link.mp3", "music/o*.mp3"])
    assert tracks(songs) == {"music/one.mp3": "one"}


@pytest.mark.usefixtures("music")
def test_namesakes_are_told_apart() -> None:
    songs = find_songs(["music/one.mp3", "other/one.mp3", "other/one.wav", "music/deep/two.FLAC"])
    assert tracks(songs) == {
        "music/one.mp3": "music/one",
        "other/one.mp3": "other/one.mp3",
        "other/one.wav": "other/one.wav",
        "music/deep/two.FLAC": "two",
    }


def test_a_name_with_brackets_is_a_name_where_there_is_such_a_file(music: Path) -> None:
    (music / "song [live].mp3").touch()
    assert tracks(find_songs(["song [live].mp3"])) == {"song [live].mp3": "song [live]"}


@pytest.mark.parametrize("argument", ["gone.mp3", "gone/*.mp3", "n" * 300, "empty"])
def test_what_matches_nothing_stays_to_fail_by_its_name(music: Path, argument: str) -> None:
    (music / "empty").mkdir()
    assert [str(song.path) for song in find_songs([argument])] == [argument]


def test_links_that_lead_in_circles_do_not_matter(music: Path) -> None:
    (music / "music" / "loop.mp3").symlink_to(music / "music" / "loop.mp3")
    (music / "music" / "again").symlink_to(music / "music")
    songs = find_songs(["music"], Path("music/stems"))
    assert {song.track for song in songs} == {"one", "loop", "deep/two"}


@pytest.mark.usefixtures("music")
def test_results_among_the_songs_are_refused() -> None:
    with pytest.raises(InvalidInput, match="choose another --output-dir"):
        find_songs(["music"], Path(f"music{os.sep}..{os.sep}music"))


def targets(template: str = DEFAULT_TEMPLATE, songs: tuple[Song, ...] = ()) -> Targets:
    return Targets(Path("out"), template, "flac", "lite", songs)


def test_a_template_names_the_stems() -> None:
    song = Song(Path("music/one.mp3"), "deep/one {live} 100%")
    named = targets("{model}/{track}-{stem}.{ext}").of(song, KINDS)
    assert named == {kind: Path(f"out/lite/deep/one {{live}} 100%-{kind}.flac") for kind in KINDS}


@pytest.mark.parametrize(
    "template",
    ["{track}.flac", "{stem}{bogus}", "{stem", "{stem:d}", "{stem!x}", "{stem}{track:{bogus}}"],
)
def test_a_template_that_can_not_work_is_refused(template: str) -> None:
    with pytest.raises(InvalidInput, match="name template"):
        targets(template)


@pytest.mark.parametrize("template", ["../{stem}", "/x/{stem}", "{stem}/../../{stem}"])
def test_results_stay_in_the_output_folder(template: str) -> None:
    with pytest.raises(InvalidInput, match="leads out"):
        targets(template).of(Song(Path("a.mp3"), "a"), KINDS)


def test_a_track_that_is_two_dots_stays_in_the_output_folder() -> None:
    song = Song(Path("...wav"), Path("...wav").stem)
    with pytest.raises(InvalidInput, match="leads out"):
        targets().of(song, KINDS)


def test_no_two_songs_share_a_stem() -> None:
    names = targets("{stem}.{ext}")
    names.of(Song(Path("a.mp3"), "a"), KINDS)
    with pytest.raises(InvalidInput, match=r"b\.mp3: its stems would overwrite those of a\.mp3"):
        names.of(Song(Path("b.mp3"), "b"), KINDS)


def test_no_stem_overwrites_a_song_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    songs = (Song(Path("out/a.mp3"), "a"), Song(Path("out/a_vocals.flac"), "a_vocals"))
    with pytest.raises(InvalidInput, match=r"a_vocals\.flac would overwrite a song"):
        targets("{track}_{stem}.{ext}", songs).of(songs[0], KINDS)
