"""How long a three-minute mashup takes from four ready stems, and where the time goes.

    python -m benchmarks.mashup_speed

A voice over another song's drums, bass and other, analyzed before, to MP3: the whole command from
process start to its end, and the stages of one in a process that is warm.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from benchmarks.results import publish, table
from mashup_worker.audio.decode import decode
from mashup_worker.audio.encode import open_writer
from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.mixing.planning.planner import plan_layer
from mashup_worker.mixing.request import MixRequest
from mashup_worker.pipelines.mashup.make import make_mashup, sounds_of_songs
from mashup_worker.pipelines.mashup.song_cache import SongCache
from mashup_worker.pipelines.mashup.songs import SongFiles, SongLoader

if TYPE_CHECKING:
    from collections.abc import Sequence

SAMPLES = Path(__file__).parents[1] / "samples"
SINGER, HOST = "slow-it-down", "when-the-night-falls"
KINDS = {SINGER: ("vocals",), HOST: ("drums", "bass", "other")}
DURATION_S = 180.0
ROUNDS = 3
MOST_S = 15.0


def long_stems(folder: Path) -> dict[str, dict[str, Path]]:
    """Stems of a little more than three minutes: the sample songs' bars, again and again."""
    return {
        song: {kind: _long_stem(folder, song, kind) for kind in kinds}
        for song, kinds in KINDS.items()
    }


def _long_stem(folder: Path, song: str, kind: str) -> Path:
    downbeats_s = json.loads((SAMPLES / song / "truth.json").read_text())["downbeats_s"]
    stem = decode(SAMPLES / song / f"{kind}.ogg")
    start, stop = (round(at_s * stem.sample_rate) for at_s in (downbeats_s[0], downbeats_s[-1]))
    bars = stem.samples[:, start:stop]
    times = 1 + int(1.2 * DURATION_S * stem.sample_rate / bars.shape[1])
    path = folder / song / f"{kind}.flac"
    with open_writer(
        path, EncodeOptions("flac", 24), sample_rate=stem.sample_rate, channels=stem.channels
    ) as writer:
        writer.write(torch.cat([bars] * times, dim=1))
    return path


def command_s(stems: dict[str, dict[str, Path]], folder: Path) -> float:
    """Wall time of the command."""
    given = [
        f"--stem={path}:{kind}:{song}"
        for song, kinds in stems.items()
        for kind, path in kinds.items()
    ]
    mashup = Path(sys.executable).with_name("mashup")
    wanted: list[str | Path] = ["--length", f"{DURATION_S:g}", "-o", folder / "mix.mp3", "-q"]
    started = time.perf_counter()
    subprocess.run(
        [mashup, "mix", *given, *wanted],
        env={**os.environ, "MASHUP_SONG_CACHE": str(folder / "cache")},
        check=True,
    )
    return time.perf_counter() - started


def stages_s(stems: dict[str, dict[str, Path]], folder: Path) -> dict[str, float]:
    """Seconds by stage, in this process."""
    started = time.perf_counter()
    loader = SongLoader(SongCache(folder / "cache"), None)
    singer, host = loader.load([SongFiles(song, kinds) for song, kinds in stems.items()]).songs
    read = time.perf_counter()
    plan = plan_layer(singer, [host], MixRequest(length_s=DURATION_S))
    planned = time.perf_counter()
    sounds = sounds_of_songs([singer, host])
    result = make_mashup(plan, sounds, folder / "mix.mp3", EncodeOptions("mp3"))
    return {"read": read - started, "plan": planned - read, **result.timings_s}


def rows(rounds: Sequence[dict[str, float]]) -> list[tuple[str, str, str]]:
    """Each stage's median, and its share of all."""
    by_stage: defaultdict[str, list[float]] = defaultdict(list)
    for one in rounds:
        for stage, seconds in one.items():
            by_stage[stage].append(seconds)
    medians = {stage: statistics.median(seconds) for stage, seconds in by_stage.items()}
    total = sum(medians.values())
    return [
        (stage, f"{seconds:.2f}", f"{seconds / total:.0%}")
        for stage, seconds in (medians | {"all": total}).items()
    ]


def main() -> None:
    """Measure, and publish."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stems = long_stems(folder)
        first_s = command_s(stems, folder)
        calls_s = [command_s(stems, folder) for _ in range(ROUNDS)]
        stages = [stages_s(stems, folder) for _ in range(ROUNDS + 1)][1:]
        duration_s = decode(folder / "mix.mp3").duration_s
    calls = ", ".join(f"{seconds:.1f}" for seconds in calls_s)
    publish(
        "mashup_speed",
        f"A mashup of {duration_s:.0f} s: the command takes {statistics.median(calls_s):.1f} s "
        f"(median of {calls}; wanted: {MOST_S:g} or less), and {first_s:.1f} s the first time, "
        "when the stems are analyzed.",
        "Where the time goes in a warm process:",
        table(("stage", "seconds", "share"), rows(stages)),
    )


if __name__ == "__main__":
    main()
