"""A destination of songs: objects below one prefix of a store, and a catalogue of them.

A song is there when its `song.json` is, which is written last. The catalogue is made of these, so
it can be lost, and whoever is killed in between leaves nothing half-made that counts.
"""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mashup_worker.seed.record import SeedRecord
from mashup_worker.storage.objects import media_type
from mashup_worker.system.digests import file_sha256

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mashup_worker.seed.record import SeedSettings, SeedSource
    from mashup_worker.storage.objects import Storage

CATALOGUE = "catalogue.jsonl"
_SONGS, _RECORD = "songs/", "song.json"
_THREADS = 8


@dataclass
class Library:
    """Songs below a prefix of a store.

    Attributes:
        storage: the store.
        prefix: what its keys begin with, empty or with a slash at the end.
    """

    storage: Storage
    prefix: str = ""
    _records: dict[str, SeedRecord] = field(default_factory=dict)
    _by_object: dict[SeedSource, str] = field(default_factory=dict)
    _is_written: bool = True
    _cut_off: str | None = None

    def load(self) -> None:
        """Find out which songs are there, with all of their objects.

        Raises:
            StorageFailed: the store can't be asked.
        """
        sizes = {
            one.key.removeprefix(self.prefix): one.bytes
            for one in self.storage.list(self.prefix + _SONGS)
        }
        keys = [key for key in sizes if key.endswith(f"/{_RECORD}")]
        with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(_THREADS) as pool:
            targets = [Path(name) / f"{number}.json" for number in range(len(keys))]
            for _ in pool.map(self._get, (self.prefix + key for key in keys), targets):
                pass
            found = [SeedRecord.of_line(target.read_bytes()) for target in targets]
        for key, record in zip(keys, found, strict=True):
            if record is not None and key == f"{record.folder}/{_RECORD}":
                stems = record.stems
                if all(sizes.get(stem.key) == stem.bytes for stem in stems) and all(
                    stem.peaks_key in sizes for stem in stems
                ):
                    self._keep(record)
        # Whoever made these may have been killed before the catalogue named them.
        self._is_written = not self._records

    def find(self, sha256: str, settings: SeedSettings) -> SeedRecord | None:
        """The song with these bytes, made in this way."""
        record = self._records.get(f"{sha256}/{settings.digest}")
        return record if record is not None and record.settings == settings else None

    def sha256_of(self, source: SeedSource) -> str | None:
        """The digest of an object that was read before and has not changed since."""
        return self._by_object.get(source) if source.modified_at is not None else None

    def add(self, record: SeedRecord, files: Mapping[str, Path]) -> None:
        """Write a song: its files by key, then its record.

        Raises:
            StorageFailed: they can't be written; the song is not there then.
        """
        with ThreadPoolExecutor(_THREADS) as pool:
            for _ in pool.map(self._put, files.keys(), files.values()):
                pass
        self._write_record(record)

    def found_again(self, record: SeedRecord, source: SeedSource) -> SeedRecord:
        """Remember another place of a song that is there.

        Raises:
            StorageFailed: it can't be written.
        """
        if source in record.sources:
            return record
        more = record.found_at(source)
        self._write_record(more)
        return more

    def write_catalogue(self) -> None:
        """One line a song, as it was made last; by the name of its first source.

        Raises:
            StorageFailed: it can't be written.
        """
        self._settle()
        if self._is_written:
            return
        newest: dict[str, SeedRecord] = {}
        for record in sorted(self._records.values(), key=lambda one: one.made_at):
            newest[record.sha256] = record
        ordered = sorted(newest.values(), key=lambda one: (one.sources[0].name, one.sha256))
        self._put_text(CATALOGUE, (record.line() for record in ordered))
        self._is_written = True

    def _keep(self, record: SeedRecord) -> None:
        self._records[f"{record.sha256}/{record.settings.digest}"] = record
        for source in record.sources:
            self._by_object[source] = record.sha256

    def _write_record(self, record: SeedRecord) -> None:
        self._cut_off = key = f"{record.folder}/{_RECORD}"
        self._put_text(key, [record.line()])
        self._keep(record)
        self._is_written, self._cut_off = False, None

    def _settle(self) -> None:
        """Ask the store about a record whose write was cut off: it may have got through."""
        if self._cut_off is None:
            return
        key = self.prefix + self._cut_off
        if self.storage.head(key) is not None:
            with tempfile.TemporaryDirectory() as name:
                target = Path(name) / _RECORD
                self._get(key, target)
                record = SeedRecord.of_line(target.read_bytes())
            if record is not None:
                self._keep(record)
                self._is_written = False
        self._cut_off = None

    def _get(self, key: str, target: Path) -> None:
        self.storage.get(key, target)

    def _put(self, key: str, path: Path, *, changes: bool = False) -> None:
        self.storage.put(
            self.prefix + key,
            path,
            content_type=media_type(path),
            sha256=file_sha256(path),
            changes=changes,
        )

    def _put_text(self, key: str, lines: Iterable[str]) -> None:
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / Path(key).name
            with path.open("w", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for line in lines)
            self._put(key, path, changes=True)
