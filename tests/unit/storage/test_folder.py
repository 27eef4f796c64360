"""Object store in a folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from mashup_worker.errors import InvalidInput, StorageFailed
from mashup_worker.settings import StorageSettings
from mashup_worker.storage.folder import FolderStorage
from mashup_worker.storage.objects import check_store, open_storage
from mashup_worker.system.digests import file_sha256
from tests.store_contract import BODY, FOREIGN_KEYS, ODD_KEY, StoreContract, read, write

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "a store"


@pytest.fixture
def store(root: Path) -> FolderStorage:
    return FolderStorage(root)


class TestFolder(StoreContract):
    pass


def test_settings_open_a_folder(root: Path, tmp_path: Path) -> None:
    opened = open_storage(StorageSettings(storage_url=root.as_uri()))
    write(opened, tmp_path, "a/b")
    assert (root / "a" / "b").read_bytes() == BODY
    assert opened.link("a/b").expires_at is None


def test_settings_without_a_store_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("S3_BUCKET", raising=False)
    monkeypatch.delenv("STORAGE_URL", raising=False)
    with pytest.raises(InvalidInput, match="set S3_BUCKET"):
        open_storage(StorageSettings())


@pytest.mark.parametrize("base", ["https://cdn.example/files", "https://cdn.example/files/"])
def test_public_links(root: Path, base: str) -> None:
    store = FolderStorage(root, base)
    url = store.link(ODD_KEY).url
    assert url == "https://cdn.example/files/a%20b/%C3%BC%2B%2541%26%3D%3F%23/%C3%B6%3A1.flac"
    assert store.key_of(url) == ODD_KEY
    assert store.key_of("https://CDN.example:443/files/a?x=y") == "a"
    assert store.key_of("https://cdn.example/filesystem/a") is None
    assert store.key_of("http://cdn.example/files/a") is None
    with pytest.raises(InvalidInput):
        store.key_of("https://cdn.example/files/%2e%2e/secret")


def test_symbolic_links_do_not_lead_outside(
    store: FolderStorage, root: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    write(store, tmp_path, "mine")
    (root / "out").symlink_to(outside)
    (root / "file").symlink_to(outside / "secret")
    for key in ("out/secret", "file"):
        with pytest.raises(InvalidInput):
            store.get(key, tmp_path / "read")
        with pytest.raises(InvalidInput):
            store.head(key)
    for key in ("out/new/file", "out/secret", "file"):
        with pytest.raises(InvalidInput):
            write(store, tmp_path, key)
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_text() == "secret"
    assert [one.key for one in store.list("")] == ["mine"]


def test_hidden_files_are_not_objects(store: FolderStorage, root: Path, tmp_path: Path) -> None:
    write(store, tmp_path, "a/b")
    for key in (".metadata/a/b", "a/.b", ".hidden"):
        with pytest.raises(InvalidInput, match="hidden"):
            store.get(key, tmp_path / "read")
    assert [one.key for one in store.list("")] == ["a/b"]
    store.delete(["a/b"])
    assert list(root.rglob("*")) == []


@pytest.mark.parametrize("key", FOREIGN_KEYS)
def test_files_of_other_programs_are_read_and_removed_under_any_name(
    store: FolderStorage, root: Path, tmp_path: Path, key: str
) -> None:
    (root / key).parent.mkdir(parents=True)
    (root / key).write_bytes(BODY)
    assert [one.key for one in store.list("")] == [key]
    assert read(store, tmp_path, key) == BODY
    store.copy(key, "copies/1")
    store.delete([key])
    assert [one.key for one in store.list("")] == ["copies/1"]


def test_a_key_has_one_spelling(store: FolderStorage, tmp_path: Path) -> None:
    write(store, tmp_path, "a/b")
    for key in ("a//b", "/a/b", "a/b/", "//a/b"):
        with pytest.raises(InvalidInput, match="object not found"):
            store.get(key, tmp_path / "read")
    for key in ("a/./b", "c/../a/b", "../a"):
        with pytest.raises(InvalidInput, match="not a valid object key"):
            store.get(key, tmp_path / "read")


def test_files_changed_by_hand_get_a_new_digest(
    store: FolderStorage, root: Path, tmp_path: Path
) -> None:
    write(store, tmp_path, "a", b"one")
    (root / "a").write_bytes(b"two")
    (root / "b").write_bytes(b"by hand")
    for key in ("a", "b"):
        there = store.head(key)
        assert there is not None
        assert there.sha256 == file_sha256(root / key)
    assert store.copy("b", "c").sha256 == file_sha256(root / "b")


def test_names_too_long_for_the_file_system(store: FolderStorage, tmp_path: Path) -> None:
    key = "x" * 300
    assert store.head(key) is None
    with pytest.raises(InvalidInput, match="object not found"):
        store.get(key, tmp_path / "read")
    with pytest.raises(StorageFailed, match="too long"):
        write(store, tmp_path, key)
    write(store, tmp_path, "ü" * 120)
    assert read(store, tmp_path, "ü" * 120) == BODY
    store.delete([key])


def test_a_folder_is_not_an_object(store: FolderStorage, tmp_path: Path) -> None:
    write(store, tmp_path, "a/b")
    assert store.head("a") is None
    with pytest.raises(InvalidInput, match="a: object not found"):
        store.get("a", tmp_path / "read")
    with pytest.raises(StorageFailed):
        write(store, tmp_path, "a")
    assert read(store, tmp_path, "a/b") == BODY


def test_a_folder_that_is_not_writable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageFailed, match=r"Not a directory$"):
        check_store(FolderStorage(tmp_path / "file" / "store"))


def test_a_failed_put_keeps_the_old_object(
    store: FolderStorage, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(store, tmp_path, "a", b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StorageFailed, match="No space left"):
            write(store, tmp_path, "a", b"new")
    assert read(store, tmp_path, "a") == b"old"
    assert [path.name for path in root.iterdir() if path.name != ".metadata"] == ["a"]
