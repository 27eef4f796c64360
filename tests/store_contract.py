"""Contract of every store; test classes inherit it and provide a fixture `store`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from mashup_worker.errors import InvalidInput, StorageFailed, TooLarge
from mashup_worker.storage.objects import READ_BLOCK_BYTES, check_store
from mashup_worker.storage.orphans import sweep
from mashup_worker.system.digests import file_sha256

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mashup_worker.storage.objects import Storage, StoredObject

BODY = b"the very bytes" * 1000
ODD_KEY = "a b/ü+%41&=?#/ö:1.flac"
FOREIGN_KEYS = (
    *("a\\b.flac", "a\nb.flac", "a\tb\x85\x1b[31m.flac", " a ", " ", "50% a%2Fb%zz"),
    *("\u202eabc😀/e\u0301.flac", "x" * 200 + "/" + "y" * 200),
)
"""Keys that a file system and every S3 store hold, such as other programs write."""

BAD_KEYS = (
    *("", "/a", "a/", "a//b", "../a", "a/../b", "./a"),
    *("a\\b", "a\nb", "a\x85", "\ud800", "ü" * 451),
)


def write(store: Storage, folder: Path, key: str, body: bytes = BODY) -> StoredObject:
    path = folder / f"body-{hash((key, body))}"
    path.write_bytes(body)
    return store.put(key, path, content_type="audio/flac", sha256=file_sha256(path))


def read(store: Storage, folder: Path, key: str, max_bytes: int | None = None) -> bytes:
    target = folder / "read"
    store.get(key, target, max_bytes)
    return target.read_bytes()


class StoreContract:
    @pytest.mark.parametrize("key", ["jobs/1/vocals.flac", ODD_KEY])
    def test_returns_the_written_bytes(self, store: Storage, tmp_path: Path, key: str) -> None:
        put = write(store, tmp_path, key)
        there = store.head(key)
        assert there is not None
        assert (there.key, there.bytes, there.sha256) == (key, len(BODY), put.sha256)
        assert abs(there.modified_at - datetime.now(UTC)) < timedelta(minutes=5)
        assert read(store, tmp_path, key) == BODY

    def test_stores_an_empty_file(self, store: Storage, tmp_path: Path) -> None:
        write(store, tmp_path, "empty", b"")
        assert read(store, tmp_path, "empty", 10) == b""

    def test_the_last_put_wins(self, store: Storage, tmp_path: Path) -> None:
        write(store, tmp_path, "a/key", b"one")
        sha256 = write(store, tmp_path, "a/key", b"two").sha256
        there = store.head("a/key")
        assert there is not None
        assert there.sha256 == sha256
        assert read(store, tmp_path, "a/key") == b"two"

    def test_missing_objects(self, store: Storage, tmp_path: Path) -> None:
        assert store.head("no/such") is None
        store.delete(["no/such"])
        target = tmp_path / "read"
        with pytest.raises(InvalidInput, match="no/such: object not found"):
            store.get("no/such", target)
        with pytest.raises(InvalidInput, match="no/such: object not found"):
            store.copy("no/such", "other")
        assert not target.exists()
        assert list(store.list("no/")) == []

    def test_a_size_limit_leaves_no_file(self, store: Storage, tmp_path: Path) -> None:
        write(store, tmp_path, "large")
        assert read(store, tmp_path, "large", len(BODY)) == BODY
        folder = tmp_path / "into"
        with pytest.raises(TooLarge, match=r"large: larger than the limit of 0\.014 MB"):
            store.get("large", folder / "read", len(BODY) - 1)
        assert not folder.exists() or not list(folder.iterdir())

    def test_ranges_are_read_in_blocks(self, store: Storage, tmp_path: Path) -> None:
        body = BODY * 100
        write(store, tmp_path, ODD_KEY, body)
        for start, stop in ((0, len(body)), (0, 1), (7, 600_007), (len(body) - 1, len(body))):
            blocks = list(store.read_range(ODD_KEY, start, stop))
            assert b"".join(blocks) == body[start:stop]
            assert max(map(len, blocks)) <= READ_BLOCK_BYTES
        write(store, tmp_path, "empty", b"")
        assert list(store.read_range("empty", 0, 0)) == []

    def test_ranges_beyond_the_end_are_errors(self, store: Storage, tmp_path: Path) -> None:
        write(store, tmp_path, "a")
        for start in (0, len(BODY), len(BODY) + 1):
            with pytest.raises(StorageFailed, match="fewer bytes"):
                list(store.read_range("a", start, len(BODY) + 2))
        with pytest.raises(InvalidInput, match="no/such: object not found"):
            next(store.read_range("no/such", 0, 1))

    def test_a_range_may_be_left_early(self, store: Storage, tmp_path: Path) -> None:
        write(store, tmp_path, "a", BODY * 100)
        for _ in range(20):  # more than a pool has connections
            blocks = store.read_range("a", 0, len(BODY) * 100)
            next(blocks)
            blocks.close()

    def test_a_missing_folder_is_created(self, store: Storage, tmp_path: Path) -> None:
        write(store, tmp_path, "a")
        store.get("a", tmp_path / "new" / "folder" / "file")
        assert (tmp_path / "new" / "folder" / "file").read_bytes() == BODY

    def test_copies_keep_the_digest(self, store: Storage, tmp_path: Path) -> None:
        first = write(store, tmp_path, ODD_KEY)
        copied = store.copy(ODD_KEY, "copies/1")
        assert copied == store.head("copies/1")
        assert (copied.bytes, copied.sha256) == (first.bytes, first.sha256)
        store.delete([ODD_KEY])
        assert read(store, tmp_path, "copies/1") == BODY

    def test_lists_by_prefix(self, store: Storage, tmp_path: Path) -> None:
        keys = ["a/1-x", "a/1/x", "a/1/y", "a/10/x", "b/1"]
        for key in keys:
            write(store, tmp_path, key, key.encode())

        def listed(prefix: str) -> list[str]:
            return sorted(one.key for one in store.list(prefix))

        assert listed("") == keys
        assert listed("a/") == listed("a/1") == keys[:4]
        assert listed("a/1/") == keys[1:3]
        assert listed("b/1") == ["b/1"]
        assert listed("c/") == listed("a/1/x/") == []
        assert {(one.bytes, one.sha256) for one in store.list("a/1/")} == {(5, None)}
        store.delete(keys)
        assert listed("") == []

    @pytest.mark.parametrize("key", ["inputs/1.mp3", ODD_KEY])
    def test_links_can_be_read_and_recognized(
        self, store: Storage, tmp_path: Path, key: str
    ) -> None:
        write(store, tmp_path, key)
        link = store.link(key)
        with urlopen(link.url) as answer:
            assert answer.read() == BODY
        assert store.key_of(link.url) == key

    @pytest.mark.parametrize(
        "url",
        [
            "https://example.com/inputs/1.mp3",
            "s3://other/inputs/1.mp3",
            "file:///etc/passwd",
            "file://other/etc/passwd",
            "file:///%00",
            "http://[",
            "https://example.com:99999/",
            "inputs/1.mp3",
            "",
        ],
    )
    def test_foreign_urls_have_no_key(self, store: Storage, url: str) -> None:
        assert store.key_of(url) is None

    @pytest.mark.parametrize("key", BAD_KEYS)
    def test_invalid_keys_are_refused(self, store: Storage, tmp_path: Path, key: str) -> None:
        with pytest.raises(InvalidInput):
            write(store, tmp_path, key)
        with pytest.raises(InvalidInput):
            store.get(key, tmp_path / "read")
        with pytest.raises(InvalidInput):
            store.link(key)

    def test_a_missing_file_is_a_storage_error(self, store: Storage, tmp_path: Path) -> None:
        with pytest.raises(StorageFailed, match="No such file"):
            store.put("a", tmp_path / "none", content_type="audio/flac", sha256="")
        assert store.head("a") is None

    def test_many_threads(self, store: Storage, tmp_path: Path) -> None:
        def work(number: int) -> bytes:
            folder = tmp_path / str(number)
            folder.mkdir()
            write(store, folder, f"t/{number % 4}/{number}", str(number).encode())
            write(store, folder, "t/same", b"same")
            body = read(store, folder, f"t/{number % 4}/{number}")
            store.delete([f"t/{number % 4}/{number}"])
            return body

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(work, range(24))) == [str(n).encode() for n in range(24)]
        assert [one.key for one in store.list("t/")] == ["t/same"]
        assert read(store, tmp_path, "t/same") == b"same"

    def test_a_check_leaves_no_objects(self, store: Storage) -> None:
        check_store(store)
        assert list(store.list("")) == []

    def test_old_unreferenced_objects_are_removed(self, store: Storage, tmp_path: Path) -> None:
        for name in ("referenced", "orphan", "late"):
            write(store, tmp_path, f"jobs/{name}", name.encode())
        write(store, tmp_path, "inputs/1")
        asked: list[list[str]] = []

        def referenced(keys: Sequence[str]) -> set[str]:
            asked.append(sorted(keys))
            keys_in_use = {"jobs/referenced"}
            return (
                keys_in_use | {"jobs/late"} if len(asked) > 2 else keys_in_use
            )  # referenced meanwhile

        now = datetime.now(UTC)
        later = now + timedelta(hours=2)
        young = sweep(store, "jobs/", referenced, older_than_s=3600, now=now, dry_run=False)
        assert (young.removed, young.kept, asked) == ((), 3, [])
        dry = sweep(store, "jobs/", referenced, older_than_s=3600, now=later, dry_run=True)
        assert sorted(dry.removed) == ["jobs/late", "jobs/orphan"]
        assert (dry.kept, dry.bytes_removed) == (1, 10)
        assert len(list(store.list("jobs/"))) == 3
        done = sweep(store, "jobs/", referenced, older_than_s=3600, now=later, dry_run=False)
        assert (done.removed, done.kept, done.bytes_removed) == (("jobs/orphan",), 2, 6)
        left = sorted(one.key for one in store.list(""))
        assert left == ["inputs/1", "jobs/late", "jobs/referenced"]
