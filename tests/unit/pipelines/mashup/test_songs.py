"""Loading of songs: decoding, separation, analysis and caching."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import soundfile
import torch

from mashup_worker.audio.decode import decode
from mashup_worker.audio.signal import Audio
from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.grid import FixedTempoGrid
from mashup_worker.models.lite.separator import load_lite
from mashup_worker.pipelines.mashup.song_cache import SongCache
from mashup_worker.pipelines.mashup.songs import SongFiles, SongLoader, stereo_at
from tests.unit.pipelines.sample_songs import NAMES, SAMPLES, sample

if TYPE_CHECKING:
    from pathlib import Path

    from mashup_worker.mixing.song import MixSong


def write(path: Path, samples: torch.Tensor, sample_rate: int = 44_100) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples.T.numpy(), sample_rate)
    return path


@pytest.mark.parametrize("index", range(3))
def test_grids_match_the_truth_within_4_ms(songs: tuple[MixSong, ...], index: int) -> None:
    truth = json.loads((SAMPLES / NAMES[index] / "truth.json").read_text(encoding="utf-8"))
    grid = songs[index].grid
    assert isinstance(grid, FixedTempoGrid)
    assert grid.tempo_bpm == pytest.approx(truth["tempo_bpm"], rel=1.5e-4)
    last = len(truth["beats_s"]) - 1
    assert grid.time_at(last / 4) == pytest.approx(truth["beats_s"][last], abs=0.004)
    assert grid.time_at(0) == pytest.approx(truth["beats_s"][0], abs=0.004)


def test_analyses_are_cached_by_the_content_of_the_files(cache: SongCache, tmp_path: Path) -> None:
    def refuse(stage: str, _share: float) -> None:
        assert not stage.startswith("analyze")

    files = sample(NAMES[0])
    loader = SongLoader(cache, None)
    first = loader.load([files]).songs[0]
    converted = {
        kind: write(tmp_path / f"{kind}.wav", decode(path).samples)
        for kind, path in files.stems.items()
    }
    again = SongLoader(cache, None, on_progress=refuse).load([files]).songs[0]
    assert again.analysis == first.analysis
    with pytest.raises(AssertionError):  # other bytes need another analysis
        SongLoader(cache, None, on_progress=refuse).load([SongFiles("b", converted)])


def test_a_damaged_or_unwritable_cache_is_ignored(tmp_path: Path) -> None:
    stems = {
        kind: write(tmp_path / f"{kind}.wav", decode(path).samples[:, : 12 * 44_100])
        for kind, path in sample(NAMES[0]).stems.items()
        if kind in ("drums", "bass")
    }
    files = SongFiles("short", stems)
    loader = SongLoader(SongCache(tmp_path / "cache"), None)
    known = loader.load([files]).songs[0].analysis
    cached = list((tmp_path / "cache").rglob("*.json"))
    assert cached
    for path in cached:
        path.write_text("{")
    assert loader.load([files]).songs[0].analysis == known
    (tmp_path / "file").write_text("")
    assert SongLoader(SongCache(tmp_path / "file"), None).load([files]).songs[0].analysis == known


def test_a_whole_song_is_separated_once(tmp_path: Path) -> None:
    made = []

    def separator() -> object:
        made.append(1)
        return load_lite()

    excerpt = decode(SAMPLES / NAMES[0] / "mix.flac").samples[:, : 8 * 44_100]
    whole = SongFiles("song", {}, write(tmp_path / "song.wav", excerpt))
    loader = SongLoader(SongCache(tmp_path / "cache"), separator)  # type: ignore[arg-type]
    loaded = loader.load([whole])
    song = loaded.songs[0]
    assert {"vocals", "drums", "bass", "other"} >= set(song.stems)
    assert loaded.model is not None
    assert loaded.model.license.id == "MIT"
    assert loaded.notes[0] == "whole songs are separated by lite, license MIT (permissive)"
    stems = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.flac")}
    assert len(stems) == 4
    loader.load([whole])
    assert stems == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.flac")}
    # Another file that was added under the same name.
    replace(loader, weights_sha256=lambda: "a" * 64).load([whole])
    assert stems.items() < {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.flac")}.items()


def test_leftovers_of_other_stems_are_no_vocals(tmp_path: Path) -> None:
    kinds = ("drums", "bass", "other")
    folder = SAMPLES / "slow-it-down"
    parts = [decode(folder / f"{kind}.ogg").samples[:, : 16 * 44_100] for kind in kinds]
    path = write(tmp_path / "song.wav", 0.5 * torch.stack(parts).sum(dim=0))
    loader = SongLoader(SongCache(tmp_path / "cache"), load_lite)
    loaded = loader.load([SongFiles("song", {}, path)])
    assert set(loaded.songs[0].stems) == set(kinds)
    assert "song/vocals is silent; it is left out" in loaded.notes


def test_warnings_about_a_separated_song_are_cached(tmp_path: Path) -> None:
    excerpt = decode(SAMPLES / NAMES[0] / "mix.flac").samples[:, : 8 * 44_100]
    path = write(tmp_path / "song.wav", excerpt)
    with path.open("ab") as file:
        file.write(b"\xaa" * 1_000)
    loader = SongLoader(SongCache(tmp_path / "cache"), load_lite)
    whole = SongFiles("song", {}, path)
    wanted = (f"{path}: 1,000 bytes behind the audio are ignored",)
    assert loader.load([whole]).warnings == wanted
    assert loader.load([whole]).warnings == wanted
    moved = path.rename(tmp_path / "moved.wav")
    assert loader.load([SongFiles("song", {}, moved)]).warnings == (
        f"{moved}: 1,000 bytes behind the audio are ignored",
    )


def test_stems_of_different_rates_channels_and_lengths_are_loaded(tmp_path: Path) -> None:
    folder = SAMPLES / NAMES[0]
    drums = decode(folder / "drums.ogg").samples
    other = decode(folder / "other.ogg").samples
    stems = {
        "drums": write(tmp_path / "drums.wav", drums[:1]),
        "other": write(tmp_path / "other.wav", other[:, ::2].contiguous(), 22_050),
        "bass": write(tmp_path / "bass.wav", 0 * drums),
    }
    loaded = SongLoader(SongCache(tmp_path / "c"), None).load([SongFiles("odd", stems)])
    song = loaded.songs[0]
    assert song.grid.tempo_bpm == pytest.approx(124, abs=0.05)
    assert {part.audio.channels for part in song.stems.values()} == {2}
    assert {part.audio.sample_rate for part in song.stems.values()} == {44_100}
    assert loaded.notes == ("odd/bass is silent; it is left out",)
    assert set(song.stems) == {"drums", "other"}


def test_songs_of_a_mashup_have_no_offset() -> None:
    excerpt = decode(SAMPLES / NAMES[0] / "drums.ogg").samples[:, : 4 * 44_100]
    loaded = stereo_at(Audio(excerpt[:1] + 0.2, 44_100), 44_100).samples
    assert loaded.shape == (2, 4 * 44_100)
    assert float(loaded.mean().abs()) < 0.002
    assert torch.equal(stereo_at(Audio(excerpt, 44_100), 44_100).samples, excerpt)


def test_silent_songs_and_songs_without_beats_are_named(tmp_path: Path) -> None:
    loader = SongLoader(SongCache(tmp_path / "c"), None)
    silent = write(tmp_path / "still.wav", torch.zeros(1, 44_100))
    with pytest.raises(InvalidInput, match="still: vocals is silent"):
        loader.load([SongFiles("still", {"vocals": silent})])
    at = torch.arange(4 * 44_100) / 44_100
    drone = write(tmp_path / "drone.wav", 0.2 * torch.sin(2 * torch.pi * 220 * at)[None])
    with pytest.raises(InvalidInput, match=r"drone: no beat .*FILE:KIND:SONG"):
        loader.load([SongFiles("drone", {"other": drone})])
