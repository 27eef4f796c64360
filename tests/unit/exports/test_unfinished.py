"""Exports that cannot be finished leave no file, and say which one they could not write."""

from __future__ import annotations

import resource
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from mashup_worker.audio.ffmpeg import ffmpeg_found
from mashup_worker.audio.signal import Audio
from mashup_worker.errors import StorageFailed
from mashup_worker.exports.export import export_song
from mashup_worker.exports.song import ExportTrack
from mashup_worker.system.files import scratch_beside
from mashup_worker.vocabulary import EXPORTS
from tests.unit.exports.songs import made_song

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mashup_worker.vocabulary import ExportName

OF_ONE_SONG = [one for one in EXPORTS if one not in ("rekordbox", "m3u8")]


@pytest.fixture
def file_limit() -> Iterator[None]:
    """The test may limit the size of files, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("file_limit")
@pytest.mark.parametrize("name", OF_ONE_SONG)
def test_a_full_disk_leaves_no_file_and_names_the_one(tmp_path: Path, name: ExportName) -> None:
    if name.startswith("native") and not ffmpeg_found():
        pytest.skip("needs ffmpeg")
    song = made_song(tmp_path / "song", duration_s=10.0)
    noise = Audio(torch.rand(2, 22_050 * 10) - 0.5, 22_050)
    tracks = [replace(one, source=noise) for one in song.tracks]
    song = replace(song, tracks=tuple(tracks), file=None)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 14, resource.RLIM_INFINITY))
    with pytest.raises(StorageFailed, match=r"/out/Song[^/]*(/[a-zA-Z0-9 -]+\.wav)?: cannot be"):
        export_song(song, name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


class LostTrack(ExportTrack):
    """Stem during whose decoding the user stops the program."""

    def audio(self) -> Audio:
        raise KeyboardInterrupt


def test_loops_appear_together(tmp_path: Path) -> None:
    song = made_song(tmp_path / "song", duration_s=20.0)
    lost = LostTrack(name="guitar", kind="guitar", source=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        export_song(replace(song, tracks=(*song.tracks, lost)), "loops", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert len(export_song(song, "loops", tmp_path / "out")) > 3


@pytest.mark.usefixtures("file_limit")
def test_stems_of_a_folder_appear_together(tmp_path: Path) -> None:
    song = made_song(tmp_path / "song", duration_s=2.0)
    wide = Audio(torch.rand(8, 44_100) - 0.5, 22_050)
    tracks = (*song.tracks, ExportTrack(name="piano", kind="piano", source=wide))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 19, resource.RLIM_INFINITY))
    with pytest.raises(StorageFailed, match=r"/piano\.wav: cannot be written"):
        export_song(replace(song, tracks=tracks), "stem-folder", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    target = tmp_path / "missing/a.dawproject"
    with (
        pytest.raises(StorageFailed, match=r"/missing/a\.dawproject: cannot be written: No such"),
        scratch_beside(target),
    ):
        pass
