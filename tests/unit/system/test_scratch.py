"""Folders for files of one process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mashup_worker.errors import StorageFailed
from mashup_worker.system.scratch import Scratch

_CHILD = """
import sys
from pathlib import Path
from mashup_worker.system.scratch import Scratch

with Scratch("scratch-", Path(sys.argv[1])).folder() as folder:
    (folder / "file").write_text("left")
    print(folder, flush=True)
    sys.stdin.read()
"""


def test_folders_are_removed(tmp_path: Path) -> None:
    scratch = Scratch("scratch-", tmp_path)
    assert list(tmp_path.iterdir()) == []
    with scratch.folder() as one, scratch.folder() as two:
        (one / "file").write_text("1")
        assert one != two
    assert not one.exists()
    scratch.close()
    assert list(tmp_path.iterdir()) == []
    scratch.close()


def test_a_missing_parent_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageFailed, match="No such file"),
        Scratch("scratch-", tmp_path / "none").folder(),
    ):
        pass
    Scratch("scratch-", tmp_path / "none").remove_stale()


def test_only_folders_of_killed_processes_are_stale(tmp_path: Path) -> None:
    scratch = Scratch("scratch-", tmp_path)
    (tmp_path / "scratch-foreign").mkdir()
    with (
        scratch.folder() as own,
        subprocess.Popen(
            [sys.executable, "-c", _CHILD, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as child,
    ):
        assert child.stdout is not None
        folder = Path(child.stdout.readline().strip())
        found = list[Path]()
        scratch.remove_stale(found.append)
        assert found == []
        child.kill()
        child.wait()

        def fail(_folder: Path) -> None:
            raise StorageFailed("store: unavailable")

        scratch.remove_stale(fail)
        assert (folder / "file").read_text() == "left"
        scratch.remove_stale(found.append)
        assert found == [folder.parent]
        assert own.exists()
    assert not folder.parent.exists()
    scratch.close()
    assert [path.name for path in tmp_path.iterdir()] == ["scratch-foreign"]
