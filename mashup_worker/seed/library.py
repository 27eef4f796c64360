"""Destination of seed tracks: objects below one prefix of a store, and a catalog of them.

A song counts as stored when its `song.json` exists, which is written last. A process that is
killed before therefore leaves no incomplete song. The catalog is derived from the `song.json`s and
can be written again at any time.
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

CATALOG = "catalog.jsonl"
_SONGS, _RECORD = "songs/", "song.json"
_THREADS = 8


@dataclass
class Library:
    """Seed tracks below a prefix of a store.

    Attributes:
        storage: the store.
        prefix: prefix of all keys, empty or with a slash at the end.
        damaged: keys of records that were left out, as this release cannot read them or some of
            their objects are missing or cut.
    """

    storage: Storage
    prefix: str = ""
    damaged: tuple[str, ...] = ()
    _records: dict[str, SeedRecord] = field(default_factory=dict)
    _by_object: dict[SeedSource, str] = field(default_factory=dict)
    _is_written: bool = True
    _interrupted_key: str | None = None

    def load(self) -> None:
        """Read the records of all songs whose objects are complete.

        Raises:
            StorageFailed: the store cannot be read.
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
            found = [SeedRecord.from_line(target.read_bytes()) for target in targets]
        damaged = []
        for key, record in zip(keys, found, strict=True):
            if (
                record is None
                or key != f"{record.folder}/{_RECORD}"
                or not all(
                    sizes.get(stem.key) == stem.bytes and stem.peaks_key in sizes
                    for stem in record.stems
                )
            ):
                damaged.append(key)
            else:
                self._index(record)
        self.damaged = tuple(sorted(damaged))
        # The run that stored these may have been killed before it wrote the catalog.
        self._is_written = not self._records

    def find(self, sha256: str, settings: SeedSettings) -> SeedRecord | None:
        """Return the song with this digest and these settings, or None."""
        record = self._records.get(f"{sha256}/{settings.digest}")
        return record if record is not None and record.settings == settings else None

    def sha256_of(self, source: SeedSource) -> str | None:
        """Return the digest of an object that has not changed since it was read, or None."""
        return self._by_object.get(source) if source.modified_at is not None else None

    def add(self, record: SeedRecord, files: Mapping[str, Path]) -> None:
        """Store the files of a song by key, then its record.

        Raises:
            StorageFailed: an object cannot be written; the song is not stored then.
        """
        with ThreadPoolExecutor(_THREADS) as pool:
            for _ in pool.map(self._put, files.keys(), files.values()):
                pass
        self._write_record(record)

    def add_source(self, record: SeedRecord, source: SeedSource) -> SeedRecord:
        """Store another location of a song that is stored already.

        Raises:
            StorageFailed: the record cannot be written.
        """
        if source in record.sources:
            return record
        more = record.with_source(source)
        self._write_record(more)
        return more

    def write_catalog(self) -> None:
        """Write one line per song, its newest record, sorted by the name of its first source.

        Raises:
            StorageFailed: the catalog cannot be written.
        """
        self._check_interrupted_write()
        if self._is_written:
            return
        self._put_text(CATALOG, (record.to_line() for record in self.newest()))
        self._is_written = True

    def newest(self) -> list[SeedRecord]:
        """Return the newest record of each song, sorted by the name of its first source."""
        newest: dict[str, SeedRecord] = {}
        for record in sorted(self._records.values(), key=lambda one: one.made_at):
            newest[record.sha256] = record
        return sorted(newest.values(), key=lambda one: (one.sources[0].name, one.sha256))

    def _index(self, record: SeedRecord) -> None:
        self._records[f"{record.sha256}/{record.settings.digest}"] = record
        for source in record.sources:
            self._by_object[source] = record.sha256

    def _write_record(self, record: SeedRecord) -> None:
        self._interrupted_key = key = f"{record.folder}/{_RECORD}"
        self._put_text(key, [record.to_line()])
        self._index(record)
        self._is_written, self._interrupted_key = False, None

    def _check_interrupted_write(self) -> None:
        """Read back a record whose write was interrupted, because the store may have it."""
        if self._interrupted_key is None:
            return
        key = self.prefix + self._interrupted_key
        if self.storage.head(key) is not None:
            with tempfile.TemporaryDirectory() as name:
                target = Path(name) / _RECORD
                self._get(key, target)
                record = SeedRecord.from_line(target.read_bytes())
            if record is not None:
                self._index(record)
                self._is_written = False
        self._interrupted_key = None

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
