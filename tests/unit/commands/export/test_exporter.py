"""Exports of many songs in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import typer

from mashup_worker.commands.shared.batch import Batch
from mashup_worker.commands.shared.exports import Exporter
from mashup_worker.commands.shared.inputs import Song
from mashup_worker.commands.shared.output import Output
from tests.unit.exports.songs import made_song

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mashup_worker.exports.song import ExportSong


def exported(songs: Sequence[ExportSong], names: Sequence[str], folder: Path) -> None:
    """Export songs as the command does, and end as it does."""
    files = [Song(song.file, song.title) for song in songs if song.file is not None]
    printer = Output(as_json=False, quiet=True, verbose=False)
    batch, exporter = Batch(files, printer), Exporter(names, printer)  # type: ignore[arg-type]
    for song, file in zip(songs, files, strict=True):
        exporter.add(song, file, folder, batch)
    exporter.finish(folder, batch)
    batch.finish()


def test_songs_of_one_name_do_not_replace_each_other(tmp_path: Path) -> None:
    songs = [made_song(tmp_path / one, duration_s=2.0, title=one) for one in ("night", "Night")]
    exported(songs, ["click", "wav"], tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "night click.wav",
        "night markers.wav",
        "Night 2 click.wav",
        "Night 2 markers.wav",
    }


@pytest.mark.parametrize("input_", ["night click.wav", "NIGHT loops/a.wav", "night.stem.m4a"])
@pytest.mark.parametrize("is_song", [True, False])
def test_no_export_replaces_an_input(tmp_path: Path, input_: str, is_song: bool) -> None:
    song = made_song(tmp_path / "song", duration_s=2.0, title="night")
    assert song.file is not None
    path = tmp_path / input_
    printer = Output(as_json=False, quiet=True, verbose=False)
    source = Song(song.file, "night")
    batch = Batch([source, Song(path, "other")] if is_song else [source], printer)
    exporter = Exporter(["click"], printer, inputs=() if is_song else [path])
    exporter.add(song, source, tmp_path, batch)
    exporter.add(song, source, tmp_path / "out", batch)
    batch.finish()
    assert (tmp_path / "night 2 click.wav").is_file()
    assert not (tmp_path / "night click.wav").exists()
    assert (tmp_path / "out/night click.wav").is_file()


def test_a_song_that_cannot_be_listed_leaves_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    songs = [made_song(tmp_path / one, duration_s=2.0, title="T") for one in ("a", "b\nb", "c")]
    with pytest.raises(typer.Exit):
        exported(songs, ["m3u8"], tmp_path)
    lines = (tmp_path / "playlist.m3u8").read_text().splitlines()
    assert lines[2::2] == ["a/whole.wav", "c/whole.wav"]
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2
    assert "its path has a line break; rename the file" in errors[0]
