"""Seed tracks are found by their digest, and only if all of their objects exist."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mashup_worker.commands.reprocess.output import TimeLeft
from mashup_worker.seed.library import CATALOG, Library
from mashup_worker.seed.record import SeedRecord, SeedSettings, SeedSource, SeedStem, song_folder
from mashup_worker.storage.folder import FolderStorage

if TYPE_CHECKING:
    from pathlib import Path

    from mashup_worker.storage.objects import StoredObject

SETTINGS = SeedSettings(model="lite")
HERE = SeedSource(name="a/one.wav", bytes=5)
OBJECT = SeedSource(name="s3://b/one.wav", bytes=5, modified_at="2026-01-01T00:00:00+00:00")


def record_of(sha256: str, made_at: str = "2026-01-01", **settings: str) -> SeedRecord:
    chosen = SETTINGS.model_copy(update=settings)
    place = song_folder(sha256, chosen)
    stem = SeedStem(
        kind="vocals",
        key=f"{place}/vocals.flac",
        format="flac",
        bytes=3,
        sha256="x",
        duration_s=1.0,
        loudness_lufs=None,
        peaks_key=f"{place}/vocals.peaks.json",
    )
    return SeedRecord(
        sha256=sha256,
        title="Ön\u2028e",
        sources=(HERE,),
        settings=chosen,
        duration_s=1.0,
        stems=(stem,),
        analysis={"tempo_bpm": None},
        model={"name": "lite"},
        timings_s={},
        made_at=made_at,
    )


def add(library: Library, record: SeedRecord, folder: Path) -> None:
    files = {}
    for key in (record.stems[0].key, record.stems[0].peaks_key):
        files[key] = folder / key.rpartition("/")[2]
        files[key].write_text("abc")
    library.add(record, files)


@pytest.fixture(params=["", "seeds/"])
def library(request: pytest.FixtureRequest, tmp_path: Path) -> Library:
    storage = FolderStorage(tmp_path / "to", keeps_metadata=False)
    return Library(storage, request.param)


def loaded(library: Library) -> Library:
    again = Library(library.storage, library.prefix)
    again.load()
    return again


def lines(library: Library, folder: Path) -> list[SeedRecord | None]:
    library.write_catalog()
    library.storage.get(library.prefix + CATALOG, folder / CATALOG)
    text = (folder / CATALOG).read_text(encoding="utf-8")
    return [SeedRecord.from_line(line) for line in text.rstrip("\n").split("\n")]


def test_added_songs_are_found(library: Library, tmp_path: Path) -> None:
    one, other = record_of("1" * 64), record_of("2" * 64)
    for record in (one, other):
        add(library, record, tmp_path)
    again = loaded(library)
    assert again.find(one.sha256, SETTINGS) == one
    assert again.find("3" * 64, SETTINGS) is None
    assert again.find(one.sha256, SeedSettings(model="htdemucs")) is None
    added = SeedSettings(model="lite", weights_sha256="a" * 64)
    assert again.find(one.sha256, added) is None
    assert added.digest != SETTINGS.digest
    assert lines(library, tmp_path) == [one, other]
    assert not list((tmp_path / "to").rglob(".*"))


@pytest.mark.parametrize("harm", ["stem gone", "stem cut", "waveform gone", "record cut", "moved"])
def test_incomplete_songs_are_missing(library: Library, tmp_path: Path, harm: str) -> None:
    record = record_of("1" * 64)
    add(library, record, tmp_path)
    home = tmp_path / "to" / library.prefix
    if harm == "stem gone":
        (home / record.stems[0].key).unlink()
    elif harm == "stem cut":
        (home / record.stems[0].key).write_text("ab")
    elif harm == "waveform gone":
        (home / record.stems[0].peaks_key).unlink()
    elif harm == "record cut":
        (home / record.folder / "song.json").write_text(record.to_line()[:50])
    else:
        (home / record.folder).rename(home / "songs" / record.sha256 / "elsewhere")
    found = loaded(library)
    assert found.find(record.sha256, SETTINGS) is None
    place = "elsewhere" if harm == "moved" else record.settings.digest
    assert found.damaged == (f"songs/{record.sha256}/{place}/song.json",)


def test_a_record_without_a_source_is_damaged(library: Library, tmp_path: Path) -> None:
    record = record_of("1" * 64).model_copy(update={"sources": ()})
    add(library, record, tmp_path)
    assert loaded(library).newest() == []


def test_sources_are_stored_once(library: Library, tmp_path: Path) -> None:
    record = record_of("1" * 64)
    add(library, record, tmp_path)
    for _ in range(2):
        record = library.add_source(record, OBJECT)
    changed = OBJECT.model_copy(update={"modified_at": "2026-02-02T00:00:00+00:00"})
    assert [source.name for source in record.sources] == [HERE.name, OBJECT.name]
    again = loaded(library)
    assert again.sha256_of(OBJECT) == record.sha256
    assert again.sha256_of(changed) is None
    assert again.sha256_of(HERE) is None  # files have no time of modification
    assert lines(library, tmp_path) == [record]


def test_the_catalog_has_the_newest_record_of_a_song(library: Library, tmp_path: Path) -> None:
    old = record_of("1" * 64, "2026-01-01")
    new = record_of("1" * 64, "2026-02-01", format="wav")
    for record in (new, old):
        add(library, record, tmp_path)
    assert lines(library, tmp_path) == [new]


def test_a_lost_catalog_is_written_again(library: Library, tmp_path: Path) -> None:
    record = record_of("1" * 64)
    add(library, record, tmp_path)  # and killed before it wrote the catalogue
    assert lines(loaded(library), tmp_path) == [record]


class Interrupted(FolderStorage):
    """Is stopped by Ctrl-C at a record, before it is written or just after."""

    after = True

    def put(self, key: str, path: Path, **about: Any) -> StoredObject:
        if key.endswith("song.json") and not self.after:
            raise KeyboardInterrupt
        stored = super().put(key, path, **about)
        if key.endswith("song.json"):
            raise KeyboardInterrupt
        return stored


@pytest.mark.parametrize("prefix", ["", "seeds/"])
@pytest.mark.parametrize("after", [True, False])
def test_the_catalog_has_records_whose_write_was_interrupted(
    tmp_path: Path, prefix: str, after: bool
) -> None:
    storage = Interrupted(tmp_path / "to", keeps_metadata=False)
    storage.after = after
    library, record = Library(storage, prefix), record_of("1" * 64)
    with pytest.raises(KeyboardInterrupt):
        add(library, record, tmp_path)
    if after:
        assert lines(library, tmp_path) == [record]
    else:
        library.write_catalog()
        assert storage.head(prefix + CATALOG) is None


def test_no_songs_have_no_catalog(library: Library, tmp_path: Path) -> None:
    loaded(library).write_catalog()
    assert not (tmp_path / "to").exists()


def test_settings_have_different_digests() -> None:
    others = [
        SETTINGS,
        SETTINGS.model_copy(update={"model": "htdemucs"}),
        SETTINGS.model_copy(update={"stems": ("vocals",)}),
        SETTINGS.model_copy(update={"format": "mp3"}),
        SETTINGS.model_copy(update={"release": "9.9"}),
    ]
    assert len({one.digest for one in others}) == len(others)


def test_the_remaining_time_is_that_of_processed_songs() -> None:
    left = TimeLeft(100)
    left.skip(20)
    assert left.remaining_s is None
    left.add(10, 5.0)
    assert left.remaining_s == pytest.approx(35.0)
