"""Many songs in one call beside the same songs one command at a time, and what memory does.

    python -m benchmarks.bulk [--device cuda]

Generated songs of 30 s in several formats, rates and numbers of channels, separated by `lite`, and
fewer of them by a network of htdemucs's size with random weights. Commands for single songs take
turns with the whole: before it and after it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import psutil

from benchmarks.devices import DeviceMemory, add_device_option
from benchmarks.results import publish, table
from mashup_worker.audio.encode import open_writer
from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.audio.resample import resample
from mashup_worker.audio.signal import Audio
from mashup_worker.bench.music import song as play
from mashup_worker.bench.networks import random_htdemucs, save_repository
from mashup_worker.models.device import resolve_device

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

DURATION_S = 30.0
SINGLE = 6
"""Songs that get commands of their own."""

_KINDS: list[tuple[Literal["flac", "wav", "mp3"], int, int]] = [
    ("flac", 44_100, 2),
    ("wav", 44_100, 2),
    ("mp3", 44_100, 2),
    ("flac", 48_000, 1),
]
_SETTLED = 10
"""Songs after which memory should have found its size."""


@dataclass(frozen=True)
class Bulk:
    """One call over many songs.

    Attributes:
        ends_s: when each song was done.
        resident_bytes: memory of the process then.
        memory: of the device.
    """

    ends_s: list[float]
    resident_bytes: list[int]
    memory: DeviceMemory


def make_songs(folder: Path, count: int) -> list[Path]:
    """Songs of one length and all kinds of files."""
    paths = []
    for number, (ext, sample_rate, channels) in enumerate(islice(cycle(_KINDS), count)):
        mix = resample(play(DURATION_S, tempo_bpm=100 + number % 40, seed=number), sample_rate)
        samples = mix.samples if channels == 2 else mix.samples.mean(0, keepdim=True)
        paths.append(folder / f"{number:03}.{ext}")
        with open_writer(
            paths[-1], EncodeOptions(ext), sample_rate=sample_rate, channels=channels
        ) as writer:
            writer.write(Audio(samples.clamp(-1, 1), sample_rate).samples)
    return paths


def command(songs: Sequence[Path], output: Path, options: Sequence[str | Path]) -> list[str | Path]:
    """`mashup separate` on songs."""
    mashup = Path(sys.executable).with_name("mashup")
    return [mashup, "separate", *songs, *options, "--json", "-o", output]


def single_s(songs: Sequence[Path], output: Path, options: Sequence[str | Path]) -> float:
    """Seconds a song with a command for each."""
    started = time.perf_counter()
    for song in songs:
        arguments = command([song], output, options)
        subprocess.run(arguments, check=True, capture_output=True)
    return (time.perf_counter() - started) / len(songs)


def bulk(
    songs: Sequence[Path], output: Path, options: Sequence[str | Path], device: torch.device
) -> Bulk:
    """All songs in one command."""
    started = time.perf_counter()
    done = Bulk([], [], DeviceMemory(device))
    arguments = command(songs, output, options)
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        watched = psutil.Process(process.pid)
        assert process.stdout is not None
        for line in process.stdout:
            if "error" in json.loads(line):
                raise SystemExit(f"a song failed: {line.decode()}")
            done.ends_s.append(time.perf_counter() - started)
            done.resident_bytes.append(watched.memory_info().rss)
            done.memory.look()
    if process.returncode or len(done.ends_s) != len(songs):
        raise SystemExit("a call failed")
    return done


def measure(
    name: str,
    songs: Sequence[Path],
    folder: Path,
    model: Sequence[str | Path],
    device: torch.device,
) -> tuple[str, ...]:
    """A row of the table."""
    options = [*model, "--device", str(device)]
    half = SINGLE // 2
    before_s = single_s(songs[:half], folder / f"{name}-before", options)
    whole = bulk(songs, folder / f"{name}-bulk", options, device)
    after_s = single_s(songs[half:SINGLE], folder / f"{name}-after", options)
    alone_s = statistics.mean([before_s, after_s])
    each_s = whole.ends_s[-1] / len(songs)
    highest_then, highest = max(whole.resident_bytes[:_SETTLED]), max(whole.resident_bytes)
    return (
        name,
        str(len(songs)),
        f"{alone_s:.2f}",
        f"{each_s:.2f}",
        f"{alone_s / each_s:.2f}",
        f"{DURATION_S / each_s:.1f}",
        f"{highest_then / 2**20:.0f}",
        f"{highest / 2**20:.0f}",
        f"{(whole.memory.peak_bytes or 0) / 2**20:.0f}",
    )


def main() -> None:
    """Measure, and publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_device_option(parser)
    device = resolve_device(parser.parse_args().device)
    headings = (
        "model",
        "songs",
        "alone, s a song",
        "in bulk, s a song",
        "times the throughput",
        "times real time",
        f"highest memory up to song {_SETTLED}, MiB",
        "highest of all, MiB",
        "device memory, MiB",
    )
    columns = len(headings) if device.type == "cuda" else len(headings) - 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "songs").mkdir()
        songs = make_songs(folder / "songs", 100)
        repository = folder / "repository"
        repository.mkdir()
        save_repository(repository, random_htdemucs())
        rows = [
            measure("lite", songs, folder, ["--model", "lite"], device),
            measure(
                "htdemucs, random weights",
                songs[:32],
                folder,
                ["--model-repo", repository, "--model", "random"],
                device,
            ),
        ]
    publish(
        "bulk",
        f"Songs of {DURATION_S:g} s to FLAC: {SINGLE} of them with a command each, and all in one "
        f"call; {os.cpu_count()} cores. Alone counts the start of the process and the weights.",
        table(headings[:columns], [row[:columns] for row in rows]),
        device=device,
    )


if __name__ == "__main__":
    main()
