"""Names of the files of stems."""

from __future__ import annotations

from pathlib import Path

import pytest

from mashup_worker.commands.separate.targets import DEFAULT_TEMPLATE, Targets
from mashup_worker.commands.shared.inputs import Song
from mashup_worker.errors import InvalidInput

KINDS = ("vocals", "drums")


def targets(template: str = DEFAULT_TEMPLATE, songs: tuple[Song, ...] = ()) -> Targets:
    return Targets(output_dir=Path("out"), template=template, ext="flac", model="lite", songs=songs)


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


def test_no_two_songs_share_a_stem_where_case_is_ignored() -> None:
    names = targets()
    names.of(Song(Path("a.mp3"), "Caf\u00e9"), KINDS)
    with pytest.raises(InvalidInput, match="would overwrite those of a"):
        names.of(Song(Path("b.mp3"), "cafe\u0301"), KINDS)


@pytest.mark.parametrize(
    ("template", "record"),
    [
        (DEFAULT_TEMPLATE, "one/separation.json"),
        ("{model}/{track} - {stem}.{ext}", "lite/one - separation.json"),
        ("{stem}/{track}.flac", "separation/one.flac.json"),
    ],
)
def test_the_record_is_named_like_a_stem(template: str, record: str) -> None:
    assert targets(template).record_of(Song(Path("one.mp3"), "one")) == Path("out") / record


def test_no_stem_overwrites_a_song_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    songs = (Song(Path("out/a.mp3"), "a"), Song(Path("out/a_vocals.flac"), "a_vocals"))
    with pytest.raises(InvalidInput, match=r"a_vocals\.flac would overwrite a song"):
        targets("{track}_{stem}.{ext}", songs).of(songs[0], KINDS)
