"""Where `mashup reprocess` reads and writes: files, folders, globs, and prefixes of buckets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from mashup_worker.audio.formats import audio_suffix
from mashup_worker.audio.source import regular_file_size
from mashup_worker.commands.shared.batch import check_there
from mashup_worker.commands.shared.failure import service_settings_or_fail
from mashup_worker.commands.shared.folders import is_system_file, is_system_folder
from mashup_worker.commands.shared.inputs import FoundSongs, find_songs
from mashup_worker.commands.shared.names import utf8_name
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
        return SeedSource(name=utf8_name(self.song.path), bytes=size_bytes)

    def bring(self, folder: Path) -> Path:
        """Link the file into a folder under its own suffix.

        Raises:
            InvalidInput: the file is missing, or cannot be read twice, such as a pipe.
        """
        check_there(self.song)
        regular_file_size(self.song.path)
        target = folder / f"song{audio_suffix(self.song.path.name)}"
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
        target = folder / f"song{audio_suffix(PurePosixPath(self.key).name)}"
        self.storage.get(self.key, target)
        return target


Track = FileTrack | ObjectTrack


@dataclass(frozen=True)
class FoundTracks:
    """Songs of the arguments, each location once.

    Attributes:
        found: what local arguments lead to; its `left_out` names objects too.
    """

    tracks: Sequence[Track]
    found: FoundSongs


def find_tracks(arguments: Sequence[str], destination: str | None) -> FoundTracks:
    """Return the songs of the arguments, without those in the destination.

    Raises:
        InvalidInput: an argument is no address of a bucket, or the songs lie in the destination.
        StorageFailed: a bucket can't be listed.
    """
    local = [one for one in arguments if not one.startswith(S3)]
    folder = Path(destination) if destination and not destination.startswith(S3) else None
    try:
        found = find_songs(local, folder)
    except InvalidInput as error:
        raise InvalidInput(error.message.replace("--output-dir", "--to")) from error
    tracks: dict[str, Track] = {}
    for song in found.songs:
        track = FileTrack(song)
        tracks.setdefault(track.source.name, track)
    left_out = dict.fromkeys(map(str, found.left_out))
    for address in (one for one in arguments if one.startswith(S3)):
        songs = 0
        for one in _objects(address, destination):
            name = PurePosixPath(one.key).name
            if audio_suffix(name) and not is_system_file(name):
                tracks.setdefault(one.source.name, one)
                songs += 1
            else:
                left_out[one.source.name] = None
        if not songs:
            raise InvalidInput(f"{address}: no songs there")
    return FoundTracks(list(tracks.values()), replace(found, left_out=list(left_out)))


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
    """Yield the objects of a prefix, without those in the destination and in folders of systems."""
    bucket, prefix = _address(address)
    storage = _bucket(bucket)
    for one in storage.list(prefix):
        name = f"{S3}{bucket}/{one.key}"
        is_own = destination is not None and name.startswith(f"{destination.rstrip('/')}/songs/")
        folders = one.key.removeprefix(prefix).split("/")[:-1]
        if is_own or one.key.endswith("/") or any(map(is_system_folder, folders)):
            continue
        modified_at = one.modified_at.isoformat()
        yield ObjectTrack(
            storage, one.key, SeedSource(name=name, bytes=one.bytes, modified_at=modified_at)
        )


def _address(address: str) -> tuple[str, str]:
    bucket, _, prefix = address.removeprefix(S3).partition("/")
    if not bucket:
        raise InvalidInput(f"{address}: not of the form s3://bucket/prefix")
    return bucket, prefix


def _bucket(name: str) -> Storage:
    from mashup_worker.storage.s3 import S3Storage

    return S3Storage(service_settings_or_fail().storage.model_copy(update={"s3_bucket": name}))
