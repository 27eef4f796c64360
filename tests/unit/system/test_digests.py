"""Digests of files."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from mashup_worker.errors import InvalidInput, StorageFailed
from mashup_worker.system.digests import file_sha256, joined_sha256

if TYPE_CHECKING:
    from pathlib import Path


def test_the_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    content = bytes(range(256)) * 1_000
    (tmp_path / "file").write_bytes(content)
    assert file_sha256(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_an_unreadable_file_raises_the_requested_error(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed, match="No such file"):
        file_sha256(tmp_path / "missing")
    with pytest.raises(InvalidInput, match="No such file"):
        file_sha256(tmp_path / "missing", InvalidInput)


def test_a_joined_digest_depends_on_names_and_digests_but_not_on_their_order() -> None:
    joined = joined_sha256({"drums": "1", "bass": "2"})
    assert joined == joined_sha256({"bass": "2", "drums": "1"})
    assert joined != joined_sha256({"bass": "1", "drums": "2"})
