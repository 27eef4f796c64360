"""Atomic writes."""

from __future__ import annotations

import os
import stat
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from mashup_worker.errors import StorageFailed
from mashup_worker.system.files import atomic_file, atomic_path, check_writable, write_atomically

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_appears_with_its_content_and_its_folders(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "file"
    write_atomically(target, b"content")
    assert target.read_bytes() == b"content"
    assert list(target.parent.iterdir()) == [target]


def test_a_failed_block_leaves_the_old_file_and_no_new_folder(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "a" / "b" / "new"
    old.write_bytes(b"old")

    def interrupted(target: Path) -> None:
        with atomic_path(target) as path:
            path.write_bytes(b"half")
            raise KeyboardInterrupt

    for target in (old, new):
        with pytest.raises(KeyboardInterrupt):
            interrupted(target)
    assert old.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [old]


def test_an_os_error_in_the_block_is_a_storage_error(tmp_path: Path) -> None:
    def full_disk() -> None:
        with atomic_file(tmp_path / "file") as file:
            file.write(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(StorageFailed, match="No space left"):
        full_disk()
    assert not list(tmp_path.iterdir())


def test_a_private_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    write_atomically(tmp_path / "secret", b"x", private=True)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_threads_may_write_the_same_file(tmp_path: Path) -> None:
    target = tmp_path / "folder" / "file"

    def write(number: int) -> None:
        for _ in range(50):
            write_atomically(target, str(number).encode() * 1_000)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(target.read_bytes())) == 1
    assert list(target.parent.iterdir()) == [target]


def test_threads_may_remove_a_folder_that_another_creates(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"

    def write(number: int) -> None:
        for _ in range(200):
            write_atomically(folder / str(number), b"content")
            (folder / str(number)).unlink()
            for empty in (folder, folder.parent):
                with suppress(OSError):
                    empty.rmdir()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, range(4)))
    finally:
        sys.setswitchinterval(interval)


def test_a_file_in_place_of_a_folder_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageFailed):
        write_atomically(tmp_path / "file" / "below", b"content")


def test_long_names_are_written(tmp_path: Path) -> None:
    target = tmp_path / ("x" * 255)
    write_atomically(target, b"content")
    assert target.read_bytes() == b"content"


def test_unwritable_targets_are_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for target in (tmp_path, tmp_path / "file" / "below", tmp_path / ("x" * 256)):
        with pytest.raises(StorageFailed):
            check_writable(target)
    check_writable(tmp_path / "file")
    check_writable(tmp_path / "a" / "b")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageFailed, match="Permission denied"):
        check_writable(tmp_path / "file")
