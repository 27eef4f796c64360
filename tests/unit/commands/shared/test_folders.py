"""Which files of folders are songs: dotted names, links, loops, systems' files, earlier results."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mashup_worker.audio.formats import AUDIO_SUFFIXES
from mashup_worker.commands.shared.inputs import FoundSongs, find_songs
from tests.unit.audio_fixtures import music, write

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def link(name: str, target: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).symlink_to(Path(target).absolute())


def paths(found: FoundSongs) -> list[str]:
    return [str(song.path) for song in found.songs]


def test_names_that_begin_with_dots_are_songs_like_others() -> None:
    make("in/...And Justice.mp3", "in/.hidden.flac", "in/.folder/x.ogg", "in/..mp3", "in/...mp3")
    found = find_songs(["in"])
    tracks = {str(song.path): song.track for song in found.songs}
    assert tracks == {
        "in/...And Justice.mp3": "...And Justice",
        "in/.hidden.flac": ".hidden",
        "in/.folder/x.ogg": ".folder/x",
    }
    assert sorted(map(str, found.left_out)) == ["in/...mp3", "in/..mp3"]  # empty, without a suffix
    assert {song.track for song in find_songs(["in/*.*"]).songs} == {
        "...And Justice",
        ".hidden",
        "x",
    }
    assert paths(find_songs(["in/**/*.*g"])) == ["in/.folder/x.ogg"]


def test_files_and_folders_of_systems_are_left_out() -> None:
    make("in/song.mp3", "in/._song.mp3", "in/.DS_Store", "in/.git/x.mp3", "in/.Trash-1000/x.mp3")
    make("in/$RECYCLE.BIN/x.mp3", "in/@eaDir/x.mp3", "in/.Spotlight-V100/x.mp3", "in/Trash/y.mp3")
    found = find_songs(["in"])
    assert paths(found) == ["in/song.mp3", "in/Trash/y.mp3"]
    assert sorted(map(str, found.left_out)) == ["in/.DS_Store", "in/._song.mp3"]
    assert paths(find_songs(["in/*"])) == ["in/Trash/y.mp3", "in/song.mp3"]
    assert paths(find_songs(["in/.git", "in/._song.mp3"])) == ["in/.git/x.mp3", "in/._song.mp3"]


@pytest.mark.parametrize("suffix", sorted(AUDIO_SUFFIXES))
def test_every_container_is_found_by_its_suffix_in_any_case(suffix: str) -> None:
    make(f"in/lower{suffix}", f"in/upper{suffix.upper()}")
    assert [song.track for song in find_songs(["in"]).songs] == ["lower", "upper"]


def test_content_decides_where_the_suffix_names_no_container() -> None:
    Path("in").mkdir()
    for name in ("noext", "Mr. Brightside", "take.old", "broken.mp3.part"):
        write(Path("in", name), music(0.1), container="FLAC")
    Path("in/broken.mp3").write_text("This is not music.")
    Path("in/notes").write_text("Nor is this.")
    found = find_songs(["in"])
    assert [song.track for song in found.songs] == ["Mr. Brightside", "broken", "noext", "take.old"]
    assert list(map(str, found.left_out)) == ["in/broken.mp3.part", "in/notes"]


def test_links_are_followed_and_loops_end() -> None:
    make("in/a/one.mp3", "elsewhere/two.mp3", "elsewhere/deep/three.mp3", "four.mp3")
    link("in/a/up", "in")
    link("in/0 self", "in/a")
    link("in/library", "elsewhere")
    link("elsewhere/back", "in")
    link("in/four.mp3", "four.mp3")
    link("in/again.mp3", "in/a/one.mp3")
    link("in/loop.mp3", "in/loop.mp3")
    found = find_songs(["in"])
    tracks = {song.track for song in found.songs}
    assert tracks == {"again", "four", "library/deep/three", "library/two", "loop"}
    assert len({os.path.realpath(song.path) for song in found.songs}) == len(found.songs)
    assert set(paths(find_songs(["in/**/*.mp3", "in"]))) == set(paths(found))


def test_a_real_folder_names_its_songs_rather_than_a_link_to_it() -> None:
    make("in/real/one.mp3")
    link("in/0 link", "in/real")
    assert [song.track for song in find_songs(["in"]).songs] == ["real/one"]


def test_what_is_left_out_is_counted_in_one_line() -> None:
    make("in/a.mp3", "in/b.txt")
    assert find_songs(["in", "in", "in/*"]).note() == "left out 1 file that is not audio: in/b.txt"
    make("in/deep/c.jpg")
    two = "left out 2 files that are not audio: in/b.txt and in/deep/c.jpg"
    assert find_songs(["in"]).note() == two
    make("in/deep/d.jpg", "in/deep/e.jpg")
    four = "left out 4 files that are not audio: in/b.txt, in/deep/c.jpg and 2 more"
    assert find_songs(["in"]).note() == four
    assert find_songs(["in/a.mp3"]).note() == ""
    named = find_songs(["in/deep", "in/deep/c.jpg"])  # what is named is a song
    assert (paths(named)[-1], len(named.left_out)) == ("in/deep/c.jpg", 2)


def test_arguments_without_songs_have_a_problem() -> None:
    make("in/b.txt")
    problems = [song.problem for song in find_songs(["in", "in/*.txt", "gone*", "gone"]).songs]
    unmatched = "no songs match this pattern"
    assert problems == ["no songs in this folder", unmatched, unmatched, None]


def _record(name: str, *files: str) -> None:
    make(*(f"{Path(name).parent}/{file}" for file in files))
    document = {"source": {"path": "../x.mp3", "sha256": "0"}, "incomplete": files}
    Path(name).write_text(json.dumps(document))


def test_stems_of_earlier_runs_are_songs_only_by_their_names() -> None:
    make("in/x.mp3", "in/stems/x/mine.wav")
    _record("in/stems/x/separation.json", "vocals.flac", "drums.flac")
    _record("in/y - separation.json", "y - vocals.flac")
    _record("in/z/separation/z.json", "../drums/z.flac")
    found = find_songs(["in"], Path("elsewhere"))
    assert paths(found) == ["in/x.mp3", "in/stems/x/mine.wav"]
    assert found.note() == (
        "left out 4 stems of earlier runs: in/y - vocals.flac, in/stems/x/drums.flac and 2 more"
    )
    assert set(paths(find_songs(["in/**/*.flac", "in/*.mp3"]))) >= {"in/x.mp3"}
    assert len(find_songs(["in/stems/x/vocals.flac"]).songs) == 1
    (alone,) = find_songs(["in/stems/x/*.flac"]).songs
    assert alone.problem
    assert "only stems of earlier runs" in alone.problem
    assert len(find_songs(["in/stems"], stem_folders=True).songs) == 1


def test_results_in_the_folder_are_left_out_and_folders_in_the_results_are_read() -> None:
    make("out/in/one.mp3", "out/in/results/one/vocals.flac", "out/two.mp3")
    link("out/in/shortcut", "out/in/results/one")
    link("out/in/favorite.flac", "out/in/results/one/vocals.flac")
    assert paths(find_songs(["out/in"], Path("out/in/results"))) == ["out/in/one.mp3"]
    assert "out/in/one.mp3" in paths(find_songs(["out/in"], Path("out")))
    assert paths(find_songs(["out/in/*.mp3", "out/*.mp3"], Path("out"))) == [
        "out/in/one.mp3",
        "out/two.mp3",
    ]


@contextmanager
def _without_privileges() -> Iterator[None]:
    """Let permissions hold for the block, which root ignores."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_an_unreadable_folder_stops_nothing(folder: Path) -> None:
    make("in/locked/one.mp3", "in/two.mp3", "in/sealed")
    folder.chmod(0o755)
    for name in ("in/locked", "in/sealed"):
        Path(name).chmod(0)
    try:
        with _without_privileges():
            found = find_songs(["in", "in/**/*.mp3"])
    finally:
        Path("in/locked").chmod(0o755)
    problems = {str(song.path): song.problem for song in found.songs}
    assert problems == {"in/two.mp3": None, "in/locked": "Permission denied"}
    assert list(map(str, found.left_out)) == ["in/sealed"]


def test_a_pipe_is_not_opened() -> None:
    make("in/one.mp3")
    for name in ("in/pipe", "in/separation.json"):
        os.mkfifo(name)
    assert paths(find_songs(["in"])) == ["in/one.mp3"]
