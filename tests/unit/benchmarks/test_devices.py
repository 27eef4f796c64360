"""Benchmarks that run on the device asked for, and report its memory where it has its own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks import bulk, first_stem, memory, parity
from benchmarks.devices import DeviceMemory
from mashup_worker.bench.networks import save_repository
from tests.gpu.networks import tiny_network

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)


def rows(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_repository(tmp_path, tiny_network())
    return tmp_path


def test_parity_on_a_cpu(folder: Path) -> None:
    headings, _, stock, fp32, bf16 = rows(parity.measure(folder, CPU, parity.music(0.7), rounds=1))
    assert "device memory, MiB" not in headings
    assert [stock[0], fp32[0], bf16[0]] == ["demucs.api, fp32", "engine, fp32", "engine, bf16"]
    assert float(fp32[4]) < 1e-4


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
def test_parity_on_a_gpu(folder: Path) -> None:
    headings, _, *made = rows(parity.measure(folder, CUDA, parity.music(0.5), rounds=1, batch=1))
    assert headings[-1] == "device memory, MiB"
    assert [row[0] for row in made] == [
        *("demucs.api, fp32", "engine, fp32", "engine, bf16", "engine, fp16")
    ]
    assert float(made[1][4]) < 1e-2  # stock demucs convolves in TF32 there


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
