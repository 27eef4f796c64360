"""How long a caller waits for the first stem: process start, weights, separation and encoding.

    python -m benchmarks.first_stem [--device cuda]

`mashup separate` beside the `demucs` command, in turn, on the same checkpoint of full size with
random weights. The reference counts as done when the first of its files is there, written or not;
ours, which get their names when all of them are whole, when the first has its name.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.devices import DeviceMemory, add_device_option
from benchmarks.results import publish, table
from mashup_worker.audio.encode import open_writer
from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.bench.music import song as play
from mashup_worker.bench.networks import random_htdemucs, save_repository
from mashup_worker.models.device import resolve_device

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

DURATIONS_S = (10, 60)
ROUNDS = 3
_POLL_S = 0.005


@dataclass(frozen=True)
class Waited:
    """How long a command took to the first stem.

    Attributes:
        seconds: from its start.
        device_bytes: the most that it held on a CUDA device by then; None on others.
    """

    seconds: float
    device_bytes: int | None


def first_stem(command: Sequence[str | Path], device: torch.device) -> Waited:
    """Run `command` until there is a file with a name in its output folder, and then to its end."""
    memory = DeviceMemory(device)
    folder = Path(command[-2])
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not any(path.suffix == ".wav" for path in folder.rglob("[!.]*.wav")):
            if process.poll() not in (None, 0):
                raise SystemExit(f"{command[0]} failed")
            memory.look()
            time.sleep(_POLL_S)
        waited_s = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"{command[0]} failed")
    return Waited(waited_s, memory.peak_bytes)


def commands(
    song: Path, repository: Path, folder: Path, device: torch.device
) -> dict[str, list[str | Path]]:
    """Return the timed commands by name; each writes 16-bit WAV to a folder of its own."""
    python = Path(sys.executable)
    where: list[str | Path] = ["--device", str(device)]
    model: list[str | Path] = ["--model-repo", repository, "--model", "random"]
    ours = [python.with_name("mashup"), "separate", *model, *where, "--format", "wav", "-q"]
    theirs = [python, "-m", "demucs", "--repo", repository, "-n", "random", *where]
    return {
        "demucs": [*theirs, "--shifts", "0", "-o", folder / "demucs", song],
        "mashup separate, fp32": [*ours, "--precision", "fp32", "-o", folder / "fp32", song],
        "mashup separate": [*ours, "-o", folder / "auto", song],
    }


def rounds(
    duration_s: int, repository: Path, folder: Path, device: torch.device
) -> list[dict[str, Waited]]:
    """Wait for the first stem of each command, in turn."""
    mix = play(duration_s)
    song = folder / f"song-{duration_s}.wav"
    with open_writer(
        song, EncodeOptions("wav", 16), sample_rate=mix.sample_rate, channels=mix.channels
    ) as writer:
        writer.write(mix.samples)
    made = []
    for number in range(ROUNDS):
        place = folder / f"{duration_s}-{number}"
        made.append(
            {
                name: first_stem(command, device)
                for name, command in commands(song, repository, place, device).items()
            }
        )
    return made


def main() -> None:
    """Measure, and publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_device_option(parser)
    device = resolve_device(parser.parse_args().device)
    cuda = device.type == "cuda"
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        repository = folder / "repository"
        repository.mkdir()
        save_repository(repository, random_htdemucs())
        for duration_s in DURATIONS_S:
            made = rounds(duration_s, repository, folder, device)
            for command in made[0]:
                ratio = statistics.median(
                    one["demucs"].seconds / one[command].seconds for one in made
                )
                median_s = statistics.median(one[command].seconds for one in made)
                row = (f"{duration_s} s", command, f"{median_s:.1f}", f"{ratio:.2f}")
                peak_bytes = max(one[command].device_bytes or 0 for one in made)
                rows.append((*row, f"{peak_bytes / 2**20:.0f}") if cuda else row)
    headings = ("song", "command", "seconds", "times sooner")
    publish(
        "first_stem",
        f"Seconds from the start of the process to the first stem on disk, median of {ROUNDS} "
        "rounds in turn, and how many times sooner than the reference.",
        table((*headings, "device memory, MiB") if cuda else headings, rows),
        device=device,
    )


if __name__ == "__main__":
    main()
