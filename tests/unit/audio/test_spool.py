from __future__ import annotations

import os
import re
import resource
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from mashup_worker.audio.spool import Spool
from mashup_worker.errors import StorageFailed

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file may grow beyond 64 KiB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("memory_bytes", [0, 1000, 1 << 20])
@pytest.mark.parametrize("channels", [1, 2])
def test_appended_samples_are_read_back(memory_bytes: int, channels: int) -> None:
    whole = torch.randn(channels, 1000)
    with Spool(8000, channels, memory_bytes=memory_bytes) as spool:
        for piece in (whole[:, :1], whole[:, 1:400], whole[:, 400:400], whole[:, 400:]):
            spool.append(piece)
            assert torch.equal(
                spool.read(0, spool.length_samples), whole[:, : spool.length_samples]
            )
        assert torch.equal(spool.read(123, 789), whole[:, 123:789])
        assert spool.read(5, 5).shape == (channels, 0)


def test_reading_outside_is_an_error() -> None:
    with Spool(8000, 1) as spool:
        spool.append(torch.zeros(1, 10))
        with pytest.raises(IndexError):
            spool.read(5, 11)


def test_appending_other_channels_is_an_error() -> None:
    with Spool(8000, 2) as spool, pytest.raises(ValueError, match="1 channels"):
        spool.append(torch.zeros(1, 10))


def test_large_sounds_move_to_an_unnamed_file(tmp_path: Path) -> None:
    with Spool(44100, 2, memory_bytes=1000, folder=tmp_path) as spool:
        spool.append(torch.zeros(2, 100_000))
        assert not list(tmp_path.iterdir())
        unnamed = [
            entry.stat().st_size
            for entry in Path("/proc/self/fd").iterdir()
            if str(tmp_path) in os.path.realpath(entry)
        ]
        assert unnamed == [800_000]


def test_threads_read_at_the_same_time() -> None:
    whole = torch.arange(200_000).float()[None]
    with Spool(44100, 1, memory_bytes=0) as spool, ThreadPoolExecutor(8) as pool:
        spool.append(whole)
        starts = [(7919 * k) % 190_000 for k in range(400)]
        pieces = pool.map(lambda start: spool.read(start, start + 5000), starts)
        assert all(
            torch.equal(piece, whole[:, start : start + 5000])
            for start, piece in zip(starts, pieces, strict=True)
        )


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_is_an_error_that_names_its_folder(tmp_path: Path) -> None:
    usual = re.escape(tempfile.gettempdir())
    for folder, reason in (
        (None, f"^{usual}: .*File too large; set TMPDIR"),
        (tmp_path, f"^{re.escape(str(tmp_path))}: .*File too large; free"),
    ):
        with Spool(44100, 2, memory_bytes=0, folder=folder) as spool:
            spool.append(torch.zeros(2, 8000))
            with pytest.raises(StorageFailed, match=reason):
                spool.append(torch.zeros(2, 8000))
            spool.close()


def test_a_missing_temporary_folder_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/no/such/folder")
    with (
        Spool(44100, 2, memory_bytes=0) as spool,
        pytest.raises(StorageFailed, match=r"/no/such/folder: .*No such file.* TMPDIR"),
    ):
        spool.append(torch.zeros(2, 8000))
