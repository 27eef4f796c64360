"""The analysis beside librosa on the same song, and many files in one command.

    python -m benchmarks.analysis_speed

`mashup bench analyze` measures the analysis alone, by stage. Here it takes turns with librosa's
`beat_track` and `chroma_cqt`, which find neither bars, nor key, nor loudness, nor sections; all are
warm, with the song in memory. Its goal is 100 times real time on two cores, so at most 3.6 s of
processor time for 180 s. The batch is the whole command, process start and decoding included, with
one worker process and with one for each core.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING

import librosa
import torch

from benchmarks.results import publish, table
from mashup_worker.bench import music
from mashup_worker.bench.measure import paired_ratio, timed_s
from mashup_worker.pipelines.analysis.analyze import analyze_audio, analyze_stems
from mashup_worker.system.cores import usable_cores

if TYPE_CHECKING:
    from collections.abc import Callable

    from mashup_worker.audio.signal import Audio

SAMPLES = Path(__file__).parents[1] / "samples"
DURATION_S = 180
ROUNDS = 7
BATCH = 12
CPU = torch.device("cpu")


def with_librosa(audio: Audio) -> None:
    """Find beats and chroma with librosa, at its own default rate."""
    mono = audio.samples.mean(dim=0).numpy()
    samples = librosa.resample(mono, orig_sr=audio.sample_rate, target_sr=22_050)
    librosa.beat.beat_track(y=samples, sr=22_050)
    librosa.feature.chroma_cqt(y=samples, sr=22_050)


def batch_s(jobs: int) -> float:
    """Return the wall time of the command over a batch of files."""
    mixes = sorted(SAMPLES.glob("*/mix.flac"))
    with tempfile.TemporaryDirectory() as folder:
        for index in range(BATCH):
            shutil.copy(mixes[index % len(mixes)], Path(folder) / f"{index}.flac")
        command = [sys.executable, "-m", "mashup_worker", "analyze", folder, "--json"]
        run = [*command, "--jobs", str(jobs)]
        return timed_s(lambda: subprocess.run(run, check=True, capture_output=True), CPU)


def measured_s(run: Callable[[], object]) -> tuple[float, float]:
    """Return the wall time and the processor time of one call."""
    before_s = process_time()
    return timed_s(run, CPU), process_time() - before_s


def main() -> None:
    """Measure and publish."""
    audio = music.song(DURATION_S)
    runs: dict[str, Callable[[], object]] = {
        "mashup_worker, everything": partial(analyze_audio, audio),
        "mashup_worker, everything from four stems": partial(
            analyze_stems, music.stems(DURATION_S)
        ),
        "librosa, beats and chroma": partial(with_librosa, audio),
    }
    rounds = [[measured_s(run) for run in runs.values()] for _ in range(ROUNDS + 1)][1:]
    walls_s, processor_s = (
        [[one[index] for one in each] for each in zip(*rounds, strict=True)] for index in (0, 1)
    )
    lines = [
        (name, *(f"{seconds:.2f} s" for seconds in (statistics.median(wall), max(wall), used)))
        for name, wall, used in zip(runs, walls_s, map(statistics.median, processor_s), strict=True)
    ]
    cores = usable_cores()
    batches = [(f"{jobs}", f"{min(batch_s(jobs) for _ in range(3)):.1f} s") for jobs in (1, cores)]
    publish(
        "analysis_speed",
        f"## {DURATION_S} s of stereo at 44.1 kHz, {torch.get_num_threads()} threads",
        table(("", "median", "slowest", "processor"), lines),
        f"librosa takes {paired_ratio(walls_s[-1], walls_s[0]):.2f} times as long as the first "
        f"(median of {ROUNDS} rounds in turn).",
        f"## {BATCH} files with `mashup analyze`",
        table(("jobs", "whole command"), batches),
    )


if __name__ == "__main__":
    main()
