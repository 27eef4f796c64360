"""How long a caller waits for the first stem: process start, weights, separation and encoding.

    python -m benchmarks.first_stem

`mashup separate` beside the `demucs` command, in turn, on the same checkpoint of full size with
random weights. The reference counts as done when the first of its files is there, written or not;
ours, which get their names when all of them are whole, when the first has its name.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.results import publish, table
from mashup_worker.audio.encode import open_writer
from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.bench.music import song as play
from mashup_worker.bench.networks import random_htdemucs, save_repository

if TYPE_CHECKING:
    from collections.abc import Sequence

DURATIONS_S = (10, 60)
ROUNDS = 3
_POLL_S = 0.005


def first_stem_s(command: Sequence[str | Path]) -> float:
    """Seconds from the start of `command` to the first file with a name in its output folder."""
    folder = Path(command[-2])
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not any(path.suffix == ".wav" for path in folder.rglob("[!.]*.wav")):
            if process.poll() not in (None, 0):
                raise SystemExit(f"{command[0]} failed")
            time.sleep(_POLL_S)
        waited_s = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"{command[0]} failed")
    return waited_s


def commands(song: Path, repository: Path, folder: Path) -> dict[str, list[str | Path]]:
    """What is timed, by name; each writes WAV of 16 bits below a folder of its own in `folder`."""
    python = Path(sys.executable)
    where: list[str | Path] = ["--device", "cpu"]
    model: list[str | Path] = ["--model-repo", repository, "--model", "random"]
    ours = [python.with_name("mashup"), "separate", *model, *where, "--format", "wav", "-q"]
    theirs = [python, "-m", "demucs", "--repo", repository, "-n", "random", *where]
    return {
        "demucs": [*theirs, "--shifts", "0", "-o", folder / "demucs", song],
        "mashup separate, fp32": [*ours, "--precision", "fp32", "-o", folder / "fp32", song],
        "mashup separate": [*ours, "-o", folder / "auto", song],
    }


def rounds_s(duration_s: int, repository: Path, folder: Path) -> list[dict[str, float]]:
    """Seconds to the first stem, by command, of each round."""
    mix = play(duration_s)
    song = folder / f"song-{duration_s}.wav"
    with open_writer(
        song, EncodeOptions("wav", 16), rate_hz=mix.rate_hz, channels=mix.channels
    ) as writer:
        writer.write(mix.samples)
    made = []
    for number in range(ROUNDS):
        place = folder / f"{duration_s}-{number}"
        made.append(
            {
                name: first_stem_s(command)
                for name, command in commands(song, repository, place).items()
            }
        )
    return made


def main() -> None:
    """Measure, and publish."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        repository = folder / "repository"
        repository.mkdir()
        save_repository(repository, random_htdemucs())
        for duration_s in DURATIONS_S:
            made = rounds_s(duration_s, repository, folder)
            for command in made[0]:
                ratio = statistics.median(one["demucs"] / one[command] for one in made)
                median_s = statistics.median(one[command] for one in made)
                rows.append((f"{duration_s} s", command, f"{median_s:.1f}", f"{ratio:.2f}"))
    publish(
        "first_stem",
        f"Seconds from the start of the process to the first stem on disk, median of {ROUNDS} "
        "rounds in turn, and how many times sooner than the reference.",
        table(("song", "command", "seconds", "times sooner"), rows),
    )


if __name__ == "__main__":
    main()
