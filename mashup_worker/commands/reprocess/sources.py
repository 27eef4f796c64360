"""Where `mashup reprocess` reads and writes: files, folders, globs, and prefixes of buckets."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from mashup_worker.audio.source import regular_file_size
from mashup_worker.commands.shared.batch import check_there
from mashup_worker.commands.shared.failure import service_settings_or_fail
from mashup_worker.commands.shared.inputs import SONG_SUFFIXES, find_songs
from mashup_worker.errors import InvalidInput
from mashup_worker.seed.library import Library
from mashup_worker.seed.record import SeedSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mashup_worker.commands.shared.inputs import Song
    from mashup_worker.storage.objects import Storage

S3 = "s3://"


@dataclass(frozen=True)
class FileTrack:
    """A song in a file, which need not exist before it is opened."""

    song: Song

    @property
    def source(self) -> SeedSource:
        """Name in valid UTF-8, and size; 0 for a missing file."""
        try:
            size_bytes = regular_file_size(self.song.path)
        except InvalidInput:
            size_bytes = 0
        name = os.fsencode(self.song.path).decode(errors="backslashreplace")
        return SeedSource(name=name, bytes=size_bytes)

    def bring(self, folder: Path) -> Path:
        """Link the file into a folder under its own suffix.

        Raises:
            InvalidInput: the file is missing, or cannot be read twice, such as a pipe.
        """
        check_there(self.song)
        regular_file_size(self.song.path)
        target = folder / f"song{self.song.path.suffix.lower()}"
        target.symlink_to(self.song.path.absolute())
        return target


@dataclass(frozen=True)
class ObjectTrack:
    """A song in a bucket."""

    storage: Storage
    key: str
    source: SeedSource

    def bring(self, folder: Path) -> Path:
        """Fetch the object into a folder. Raises as `Storage.get`."""
        target = folder / f"song{PurePosixPath(self.key).suffix.lower()}"
        self.storage.get(self.key, target)
        return target


Track = FileTrack | ObjectTrack


def find_tracks(arguments: Sequence[str], destination: str | None) -> list[Track]:
    """The songs of the arguments, each place once, what lies in the destination left out.

    Raises:
        InvalidInput: an argument is no address of a bucket, or the songs lie in the destination.
        StorageFailed: a bucket can't be listed.
    """
    local = [one for one in arguments if not one.startswith(S3)]
    folder = Path(destination) if destination and not destination.startswith(S3) else None
    try:
        songs = find_songs(local, folder) if local else []
    except InvalidInput as error:
        raise InvalidInput(error.message.replace("--output-dir", "--to")) from error
    tracks: dict[str, Track] = {}
    for song in songs:
        track = FileTrack(song)
        tracks.setdefault(track.source.name, track)
    for address in (one for one in arguments if one.startswith(S3)):
        for found in _objects(address, destination):
            tracks.setdefault(found.source.name, found)
    return list(tracks.values())


def open_library(destination: str) -> Library:
    """Open the destination with its existing contents.

    Raises:
        InvalidInput: the address is not a bucket.
        StorageFailed: the destination cannot be used.
    """
    if not destination.startswith(S3):
        from mashup_worker.storage.folder import FolderStorage

        return Library(FolderStorage(Path(destination), keeps_metadata=False))
    bucket, prefix = _address(destination)
    return Library(_bucket(bucket), f"{prefix.rstrip('/')}/" if prefix else "")


def _objects(address: str, destination: str | None) -> Iterator[ObjectTrack]:
    bucket, prefix = _address(address)
    storage = _bucket(bucket)
    found = 0
    for one in storage.list(prefix):
        name = f"{S3}{bucket}/{one.key}"
        own = destination is not None and name.startswith(f"{destination.rstrip('/')}/songs/")
        if own or PurePosixPath(one.key).suffix.lower() not in SONG_SUFFIXES:
            continue
        found += 1
        modified_at = one.modified_at.isoformat()
        yield ObjectTrack(
            storage, one.key, SeedSource(name=name, bytes=one.bytes, modified_at=modified_at)
        )
    if not found:
        raise InvalidInput(f"{address}: no songs there")


def _address(address: str) -> tuple[str, str]:
    bucket, _, prefix = address.removeprefix(S3).partition("/")
    if not bucket:
        raise InvalidInput(f"{address}: not of the form s3://bucket/prefix")
    return bucket, prefix


def _bucket(name: str) -> Storage:
    from mashup_worker.storage.s3 import S3Storage

    return S3Storage(service_settings_or_fail().storage.model_copy(update={"s3_bucket": name}))
