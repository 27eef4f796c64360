"""The analysis beside librosa on the same song, and many files in one command.

    python -m benchmarks.analysis_speed

`mashup bench analyze` measures the analysis alone, by stage. Here it takes turns with librosa's
`beat_track` and `chroma_cqt`, which find neither bars, nor key, nor loudness; both are warm, with
the song in memory. The batch is the whole command, process start and decoding included, with one
worker process and with one for each core.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import librosa
import torch

from benchmarks.results import publish, table
from mashup_worker.bench import music
from mashup_worker.bench.measure import paired_ratio, timed_s
from mashup_worker.pipelines.analysis.analyze import analyze_audio
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


def main() -> None:
    """Measure and publish."""
    audio = music.song(DURATION_S)
    runs: dict[str, Callable[[], object]] = {
        "mashup_worker, everything": partial(analyze_audio, audio),
        "librosa, beats and chroma": partial(with_librosa, audio),
    }
    rounds = [[timed_s(run, CPU) for run in runs.values()] for _ in range(ROUNDS + 1)][1:]
    ours_s, theirs_s = zip(*rounds, strict=True)
    lines = [
        (name, f"{statistics.median(taken):.2f} s", f"{max(taken):.2f} s")
        for name, taken in zip(runs, (ours_s, theirs_s), strict=True)
    ]
    cores = usable_cores()
    batches = [(f"{jobs}", f"{min(batch_s(jobs) for _ in range(3)):.1f} s") for jobs in (1, cores)]
    publish(
        "analysis_speed",
        f"## {DURATION_S} s of stereo at 44.1 kHz, {torch.get_num_threads()} threads",
        table(("", "median", "slowest"), lines),
        f"librosa takes {paired_ratio(theirs_s, ours_s):.2f} times as long (median of {ROUNDS} "
        "rounds in turn).",
        f"## {BATCH} files with `mashup analyze`",
        table(("jobs", "whole command"), batches),
    )


if __name__ == "__main__":
    main()
