"""ZIP archives against readers of them."""

from __future__ import annotations

import io
import os
import shutil
import struct
import subprocess
import zipfile
import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from mashup_worker.api import zips
from mashup_worker.api.zips import ZipEntry, zip_blocks, zip_entry, zip_size
from mashup_worker.errors import NotFound, StorageFailed
from mashup_worker.storage.folder import FolderStorage
from mashup_worker.storage.objects import READ_BLOCK_BYTES
from mashup_worker.system.digests import file_sha256
from mashup_worker.system.names import safe_name

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

FILES = {
    "Night - vocals.flac": os.urandom(700_001),
    "Björk 夜 - drums.flac": b"fLaC" * 1_000,
    "empty.wav": b"",
}


class Counting(FolderStorage):
    """Store that counts the bytes that are read."""

    count = 0

    def read_range(self, key: str, start: int, stop: int) -> Generator[bytes]:
        for block in super().read_range(key, start, stop):
            self.count += len(block)
            yield block


@pytest.fixture
def store(tmp_path: Path) -> Counting:
    store = Counting(tmp_path / "store")
    for number, content in enumerate(FILES.values()):
        file = tmp_path / "file"
        file.write_bytes(content)
        store.put(f"s/{number}", file, content_type="a/b", sha256=file_sha256(file))
    return store


def entries_of(store: FolderStorage) -> list[ZipEntry]:
    return [zip_entry(store, f"s/{number}", name) for number, name in enumerate(FILES)]


def check(archive: bytes) -> list[zipfile.ZipInfo]:
    with zipfile.ZipFile(io.BytesIO(archive)) as found:
        assert found.testzip() is None
        assert {name: found.read(name) for name in found.namelist()} == FILES
        return found.infolist()


def test_readers_find_every_file(store: Counting, tmp_path: Path) -> None:
    entries = entries_of(store)
    archive = b"".join(zip_blocks(store, entries))
    assert len(archive) == zip_size(entries)
    for info in check(archive):
        assert info.compress_type == zipfile.ZIP_STORED
        assert not info.flag_bits & 0x08  # sizes and CRC precede the file
        assert bool(info.flag_bits & 0x800) is not info.filename.isascii()
        age_s = (datetime.now(UTC) - datetime(*info.date_time, tzinfo=UTC)).total_seconds()
        assert -2 <= age_s < 600
    if shutil.which("unzip"):
        (tmp_path / "a.zip").write_bytes(archive)
        subprocess.run(["unzip", "-tq", tmp_path / "a.zip"], check=True, capture_output=True)


@pytest.mark.parametrize("limit", [600_000, 700_500, 10])
def test_large_archives_have_wide_fields(
    store: Counting, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of 4 GiB on; below that a reader takes the fields of 32 bits as they are."""

    def pack(form: str, *values: Any) -> bytes:
        largest = [0xFFFFFFFF if one == limit else one for one in values]
        return struct.pack(form, *largest)

    monkeypatch.setattr(zips, "_LIMIT", limit)
    monkeypatch.setattr(zips, "pack", pack)
    entries = entries_of(store)
    archive = b"".join(zip_blocks(store, entries))
    assert len(archive) == zip_size(entries)
    check(archive)
    assert archive.count(b"PK\6\6") == 1


def test_an_archive_is_read_while_it_is_sent(store: Counting) -> None:
    blocks = zip_blocks(store, entries_of(store))
    assert store.count == 0
    first = next(blocks)
    assert first[:4] == b"PK\3\4"
    assert store.count == 700_001  # for its CRC
    sizes = [len(next(blocks)) for _ in range(2)]
    assert store.count == 700_001 + sum(sizes)
    rest = [len(block) for block in blocks]
    assert min(rest) > 0
    assert max(*sizes, *rest) <= READ_BLOCK_BYTES


def test_missing_objects_are_noticed(store: Counting) -> None:
    with pytest.raises(NotFound):
        zip_entry(store, "s/9", "a")
    blocks = zip_blocks(store, entries_of(store))
    next(blocks)
    store.delete(["s/1"])
    with pytest.raises(StorageFailed):
        list(blocks)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("When the Night", "When the Night"),
        ("AC/DC: Back\\", "AC_DC_ Back_"),
        ("../..", "_"),
        ("Björk\n", "Björk_"),
        (" .", "_"),
        ("COM1", "_COM1"),
        ("con.night", "_con.night"),
        ("Conga", "Conga"),
        ("x" * 400, "x" * 160),
        ("x" + "夜" * 400, "x" + "夜" * 53),
    ],
)
def test_names_fit_every_system(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_the_crc_is_that_of_the_file(store: Counting) -> None:
    (entry, *_) = entries_of(store)
    header = next(zip_blocks(store, [entry]))
    assert int.from_bytes(header[14:18], "little") == zlib.crc32(FILES[entry.name])
