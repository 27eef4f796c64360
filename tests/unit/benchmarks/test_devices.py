"""Benchmarks that run on the device asked for, and report its memory where it has its own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks import bulk, first_stem, memory
from benchmarks.devices import DeviceMemory
from mashup_worker.bench.networks import save_repository
from tests.gpu.networks import tiny_network

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_repository(tmp_path, tiny_network())
    return tmp_path


def test_memory_on_a_cpu(folder: Path) -> None:
    song = folder / "song.flac"
    memory.write_song(song, 0.02)
    (folder / "tiny").mkdir()
    save_repository(folder / "tiny", tiny_network())
    made = memory.measure("tiny", str(song), str(folder), CPU)
    assert made["peak_mb"] >= made["model_mb"] > 10
    assert made["device_mb"] == 0


def test_commands_name_the_device() -> None:
    songs = first_stem.commands(Path("song.wav"), Path("repository"), Path("out"), CUDA)
    for command in songs.values():
        assert command[command.index("--device") + 1] == "cuda:0"
    options = ["--model", "lite", "--device", "cuda:0"]
    assert "cuda:0" in bulk.command([Path("song.wav")], Path("out"), options)


def test_a_cpu_has_no_memory_of_its_own() -> None:
    watched = DeviceMemory(CPU)
    watched.look()
    assert watched.peak_bytes is None


@pytest.mark.gpu
def test_memory_on_a_gpu(folder: Path) -> None:
    song = folder / "song.flac"
    memory.write_song(song, 0.02)
    (folder / "tiny").mkdir()
    save_repository(folder / "tiny", tiny_network())
    assert memory.measure("tiny", str(song), str(folder), CUDA)["device_mb"] > 0


@pytest.mark.gpu
def test_memory_in_use_on_a_gpu() -> None:
    watched = DeviceMemory(CUDA)
    held = torch.ones(1 << 24, device=CUDA)
    watched.look()
    del held
    assert watched.peak_bytes is not None
    assert watched.peak_bytes >= 1 << 26
