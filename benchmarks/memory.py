"""Peak memory of `mashup separate` on long songs.

    python -m benchmarks.memory [--hour] [--networks] [--device cuda]

Every case is a process of its own, which reports its peak resident memory before the song, with
the model loaded, and after it; on a GPU also the most that torch reserved there. `--hour` adds an
hour-long song. `--networks` measures networks of each other architecture instead, with the
published segments and transforms, but few layers, and writes `network_memory.md`.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from benchmarks.devices import add_device_option
from benchmarks.results import publish, table
from mashup_worker.audio.encode import open_writer
from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.bench import music
from mashup_worker.bench.measure import host_peak_bytes
from mashup_worker.bench.networks import (
    SHALLOW,
    random_htdemucs,
    save_repository,
    save_shallow,
    small_demucs,
)
from mashup_worker.models.device import resolve_device
from mashup_worker.models.engine import EngineOptions
from mashup_worker.models.load import load_model
from mashup_worker.models.store import WeightStore
from mashup_worker.pipelines.separation.separate import SeparateRequest, separate_file
from mashup_worker.settings import Settings


def main() -> None:
    """Measure, print, and write `benchmarks/results/memory.md`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hour", action="store_true")
    parser.add_argument("--networks", action="store_true")
    parser.add_argument("--case", nargs=3, help=argparse.SUPPRESS)
    add_device_option(parser)
    arguments = parser.parse_args()
    device = resolve_device(arguments.device)
    if arguments.case:
        model, song, folder = arguments.case
        print(json.dumps(measure(model, song, folder, device)))
        return
    cases = [("lite", 1), ("lite", 10), ("full", 1), ("full", 5), ("small", 1), ("small", 10)]
    if arguments.hour:
        cases += [("lite", 60), ("small", 60)]
    if arguments.networks:
        cases = [(network, minutes) for network in SHALLOW for minutes in (2, 10)]
    with tempfile.TemporaryDirectory() as name:
        rows = [case(Path(name), model, minutes, device) for model, minutes in cases]
    headings = ("model", "song", "with the model", "peak", "more for the song", "on the device")
    columns = len(headings) if device.type == "cuda" else len(headings) - 1
    shown = [row[:columns] for row in rows]
    file = "network_memory" if arguments.networks else "memory"
    publish("memory", table(headings[:columns], shown), device=device, file=file)


def case(folder: Path, model: str, minutes: int, device: torch.device) -> tuple[str, ...]:
    """Run one case in a process of its own; one line of the table."""
    song = folder / f"{minutes}.flac"
    if not song.exists():
        write_song(song, minutes)
    if model != "lite" and not (folder / model).exists():
        (folder / model).mkdir()
        if model in SHALLOW:
            save_shallow(folder / model, model)
        else:
            network = random_htdemucs() if model == "full" else small_demucs()
            save_repository(folder / model, network)
    command = [sys.executable, "-m", "benchmarks.memory", "--device", str(device)]
    command += ["--case", model, str(song), str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result = json.loads(done.stdout)
    names = {
        "lite": "lite",
        "full": "Demucs engine, htdemucs",
        "small": "Demucs engine, a tiny network",
    } | {network: f"{network}, few layers" for network in SHALLOW}
    return (
        names[model],
        f"{minutes} min",
        f"{result['model_mb']:.0f} MB",
        f"{result['peak_mb']:.0f} MB",
        f"{result['peak_mb'] - result['model_mb']:.0f} MB",
        f"{result['device_mb']:.0f} MB",
    )


def measure(model: str, song: str, folder: str, device: torch.device) -> dict[str, float]:
    """Separate a song in this process, and return how its peak memory grew."""
    options = EngineOptions(str(device))
    store = WeightStore(Settings(offline=True))
    if model == "lite":
        separator = load_model("lite", options, store).separator
    else:
        repository = Path(folder, model)
        separator = load_model("random", options, store, repository=repository).separator
    model_mb = host_peak_bytes() / 1e6
    with tempfile.TemporaryDirectory(dir=folder) as out:
        targets = {kind: Path(out, f"{kind}.flac") for kind in separator.stems}
        separate_file(separator, SeparateRequest(Path(song), targets))
    reserved = torch.cuda.max_memory_reserved(device) if device.type == "cuda" else 0
    return {"model_mb": model_mb, "peak_mb": host_peak_bytes() / 1e6, "device_mb": reserved / 1e6}


def write_song(path: Path, minutes: float) -> None:
    """Write a song; one longer than a minute repeats its first."""
    minute = music.song(60 * min(1, minutes))
    with open_writer(
        path, EncodeOptions("flac"), sample_rate=minute.sample_rate, channels=minute.channels
    ) as file:
        for _ in range(math.ceil(minutes)):
            file.write(minute.samples)


if __name__ == "__main__":
    main()
