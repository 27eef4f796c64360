"""How fast the analysis is, beside librosa on the same sound in the same run.

    python -m benchmarks.analysis_speed

Everything is warm and decoded; the two take turns. librosa does `beat_track` and `chroma_cqt`,
which give neither bars, nor key, nor loudness. The batch is the whole command, process start and
decoding included, with one worker process and with one for each core.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import librosa
import torch

from benchmarks.results import publish, table
from mashup_worker.audio.decode import decode
from mashup_worker.audio.signal import Audio
from mashup_worker.pipelines.analysis.analyze import analyze_audio

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLES = Path(__file__).parents[1] / "samples"
DURATION_S = 180
ROUNDS = 7
BATCH = 12


def song() -> Audio:
    """Three minutes: the sample songs, one after the other, again and again."""
    mixes = [decode(path) for path in sorted(SAMPLES.glob("*/mix.flac"))]
    once = torch.cat([mix.samples for mix in mixes], dim=1)
    sample_rate = mixes[0].sample_rate
    wanted = DURATION_S * sample_rate
    return Audio(once.repeat(1, -(-wanted // once.shape[1]))[:, :wanted].contiguous(), sample_rate)


def with_librosa(audio: Audio) -> None:
    """What librosa offers of it, at its own default rate."""
    mono = audio.samples.mean(dim=0).numpy()
    samples = librosa.resample(mono, orig_sr=audio.sample_rate, target_sr=22_050)
    librosa.beat.beat_track(y=samples, sr=22_050)
    librosa.feature.chroma_cqt(y=samples, sr=22_050)


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def batch_s(jobs: int) -> float:
    """Wall time of the command over a batch of files."""
    mixes = sorted(SAMPLES.glob("*/mix.flac"))
    with tempfile.TemporaryDirectory() as folder:
        for index in range(BATCH):
            shutil.copy(mixes[index % len(mixes)], Path(folder) / f"{index}.flac")
        command = [sys.executable, "-m", "mashup_worker", "analyze", folder, "--json"]
        run = [*command, "--jobs", str(jobs)]
        return seconds(lambda: subprocess.run(run, check=True, capture_output=True))


def main() -> None:
    """Measure and publish."""
    audio = song()
    ours, theirs = partial(analyze_audio, audio), partial(with_librosa, audio)
    ours()
    theirs()
    rounds = [(seconds(ours), seconds(theirs)) for _ in range(ROUNDS)]
    lines = []
    for name, column in (("mashup_worker, everything", 0), ("librosa, beats and chroma", 1)):
        taken = [one[column] for one in rounds]
        median, slowest = statistics.median(taken), max(taken)
        lines.append([name, f"{median:.2f} s", f"{slowest:.2f} s", f"{DURATION_S / median:.0f}"])
    ratio = statistics.median(theirs_s / ours_s for ours_s, theirs_s in rounds)
    stages = analyze_audio(audio).timings_s
    cores = len(os.sched_getaffinity(0))
    one, all_cores = (min(batch_s(jobs) for _ in range(3)) for jobs in (1, cores))
    publish(
        "analysis_speed",
        f"## {DURATION_S} s of stereo at 44.1 kHz, {torch.get_num_threads()} threads",
        table(("", "median", "slowest", "times real time"), lines),
        f"librosa takes {ratio:.2f} times as long (median of {ROUNDS} rounds in turn). Stages: "
        + ", ".join(f"{name} {taken:.2f} s" for name, taken in stages.items())
        + ".",
        f"## {BATCH} files with `mashup analyze`",
        table(
            ("jobs", "whole command"), [["1", f"{one:.1f} s"], [f"{cores}", f"{all_cores:.1f} s"]]
        ),
    )


if __name__ == "__main__":
    main()
