"""Stems of earlier runs are known by the content of the song and by the settings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mashup_worker.commands.separate.results import StemPaths
from mashup_worker.commands.separate.targets import DEFAULT_TEMPLATE, Targets
from mashup_worker.commands.shared.inputs import Song
from mashup_worker.commands.shared.song_source import SongSource
from mashup_worker.commands.shared.stem_records import StemRecord, StemSettings
from mashup_worker.errors import InvalidInput
from mashup_worker.licenses import NO_STATEMENT

SETTINGS = StemSettings(
    model="lite",
    weights_sha256=None,
    stems=("drums", "vocals"),
    format="flac",
    bit_depth=16,
    bitrate_kbps=None,
    precision="auto",
    shifts=0,
    seed=0,
    overlap=0.25,
)
MP3 = SETTINGS.model_copy(update={"format": "mp3"})


class Case:
    """Song with its stems, which are separated by writing them."""

    def __init__(
        self, name: str, content: str, template: str = DEFAULT_TEMPLATE, ext: str = "flac"
    ) -> None:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        self.song = Song(path, path.stem)
        targets = Targets(
            output_dir=Path("out"), template=template, ext=ext, model="lite", songs=[self.song]
        )
        stems = targets.of(self.song, ("vocals", "drums"))
        self.paths = StemPaths(stems, targets.record_of(self.song))

    @property
    def source(self) -> SongSource:
        return SongSource.of(self.song, self.paths.record.parent)

    def separate(self, settings: StemSettings = SETTINGS, *, killed_after: int = 9) -> None:
        self.paths.begin(self.source)
        for path in list(self.paths.stems.values())[:killed_after]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{path.suffix} of {self.song.path.read_text()}")
        if killed_after == 9:
            self.paths.complete(self.source, settings, NO_STATEMENT)

    def is_done(self, settings: StemSettings = SETTINGS) -> bool:
        return self.paths.are_complete(self.source, settings)

    def check(self) -> None:
        self.paths.check_replaceable(self.song, self.source)

    @property
    def record(self) -> StemRecord:
        record = StemRecord.read(self.paths.record)
        assert record is not None
        return record


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_stems_are_done_when_content_settings_and_files_agree() -> None:
    song = Case("a/song.mp3", "one")
    assert not song.paths.any_exist()
    assert not song.is_done()
    song.separate()
    assert song.is_done()
    assert Case("moved/song.mp3", "one").is_done()
    assert not Case("a/song.mp3", "a later version").is_done()


@pytest.mark.parametrize(
    "change",
    [
        {"model": "htdemucs"},
        {"weights_sha256": "0"},
        {"stems": ("vocals",)},
        {"bit_depth": 24},
        {"precision": "fp32"},
        {"shifts": 1},
        {"seed": 7},
        {"overlap": 0.1},
    ],
)
def test_other_settings_are_another_result(change: dict[str, object]) -> None:
    song = Case("song.mp3", "one")
    song.separate()
    assert not song.is_done(SETTINGS.model_copy(update=change))
    song.check()


@pytest.mark.parametrize("damage", ["missing", "shorter"])
def test_stems_that_changed_are_not_done(damage: str) -> None:
    song = Case("song.mp3", "one")
    song.separate()
    stem = song.paths.stems["drums"]
    if damage == "missing":
        stem.unlink()
    else:
        stem.write_text("cut")
    assert not song.is_done()
    song.check()


@pytest.mark.parametrize("killed_after", [0, 1, 2])
def test_a_killed_run_leaves_nothing_that_is_complete(killed_after: int) -> None:
    song = Case("song.mp3", "one")
    song.separate(killed_after=killed_after)
    assert not song.is_done()
    song.check()
    song.separate()
    song.separate(killed_after=killed_after)
    assert not song.is_done()
    song.check()
    song.separate()
    assert song.is_done()
    assert not song.record.incomplete


def test_results_in_two_formats_are_both_known() -> None:
    flac, mp3 = Case("song.mp3", "one"), Case("song.mp3", "one", ext="mp3")
    flac.separate()
    mp3.separate(MP3)
    assert flac.is_done()
    assert mp3.is_done(MP3)


def test_stems_of_another_song_are_kept() -> None:
    first, second = Case("a/song.mp3", "one"), Case("b/song.mp3", "two")
    first.separate()
    with pytest.raises(InvalidInput, match=r"b/song\.mp3: .* stems of another song, .*a/song\.mp3"):
        second.check()
    with pytest.raises(InvalidInput, match="stems of another song"):
        Case("b/song.mp3", "two", ext="mp3").check()
    first.separate(killed_after=1)
    with pytest.raises(InvalidInput, match="stems of another song"):
        second.check()
    for path in first.paths.stems.values():
        path.unlink()
    second.check()  # they are gone


def test_stems_of_a_replaced_song_are_known_as_stems_but_not_as_those_of_the_new_one() -> None:
    Case("a/song.mp3", "one", ext="mp3").separate(MP3)
    Case("a/song.mp3", "one").separate()
    new = Case("b/song.mp3", "two")
    new.separate()
    assert new.record.others == {"vocals.mp3", "drums.mp3"}
    with pytest.raises(InvalidInput, match="no record says that it is a stem of this song"):
        Case("b/song.mp3", "two", ext="mp3").check()


def test_a_later_version_of_a_song_replaces_all_of_its_stems() -> None:
    Case("song.mp3", "one", ext="mp3").separate(MP3)
    Case("song.mp3", "one").separate()
    flac, mp3 = Case("song.mp3", "two"), Case("song.mp3", "two", ext="mp3")
    flac.check()
    flac.separate()
    assert flac.is_done()
    assert not mp3.is_done(MP3)
    mp3.check()
    mp3.separate(MP3)
    assert flac.is_done()
    assert mp3.is_done(MP3)


@pytest.mark.parametrize("record", [None, "", "{}", '{"source": {"path": 1}}', "null"])
def test_files_that_no_record_lists_are_kept(record: str | None) -> None:
    song = Case("song.mp3", "one")
    song.separate()
    song.paths.record.unlink()
    if record is not None:
        song.paths.record.write_text(record)
    assert not song.is_done()
    with pytest.raises(InvalidInput, match=r"vocals\.flac exists, and no record says"):
        song.check()


@pytest.mark.parametrize("template", ["{track} - {stem}.{ext}", "{stem}/{track}.{ext}"])
def test_records_of_other_templates(template: str) -> None:
    song, other = Case("song.mp3", "one", template), Case("other.mp3", "two", template)
    song.separate()
    other.separate()
    assert song.is_done()
    assert other.is_done()


def test_names_that_are_not_utf_8() -> None:
    song = Case(os.fsdecode(b"caf\xe9.mp3"), "one", "{track} - {stem}.{ext}")
    song.separate()
    assert song.is_done()
    other = Case(os.fsdecode(b"other/caf\xe9.mp3"), "two", "{track} - {stem}.{ext}")
    with pytest.raises(InvalidInput):
        other.check()


def test_folders_can_be_moved_together() -> None:
    song = Case("music/song.mp3", "one")
    song.separate()
    source = song.source
    Path("else").mkdir()
    for name in ("music", "out"):
        Path(name).rename(f"else/{name}")
    moved = SongSource.of(Song(Path("else/music/song.mp3"), "song"), Path("else/out/song"))
    assert moved == source
