"""Speed of an analysis and of a mashup in a warm process."""

from __future__ import annotations

import statistics
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING

from mashup_worker.audio.encode import open_writer
from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.bench import music
from mashup_worker.bench.measure import (
    PeakMemory,
    ProcessorClock,
    host_peak_bytes,
    reset_host_peak,
    timed_s,
)
from mashup_worker.bench.results import Staged, Work
from mashup_worker.mixing.planning.planner import plan_layer
from mashup_worker.mixing.request import MixRequest
from mashup_worker.pipelines.analysis.analyze import analyze_audio
from mashup_worker.pipelines.mashup.make import make_mashup, sounds_of_songs
from mashup_worker.pipelines.mashup.song_cache import SongCache
from mashup_worker.pipelines.mashup.songs import SongFiles, SongLoader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch

    from mashup_worker.bench.results import Taken

    OnStep = Callable[[str], object]
    """Called with the next step. An exception raised in it cancels the work."""

_SINGER, _HOST = "singer", "host"
_KINDS = {_SINGER: ("vocals",), _HOST: ("drums", "bass", "other")}
_TEMPI_BPM = {_SINGER: 116.0, _HOST: 120.0}
_STAGES = "plan", "stretch", "mix", "master", "encode", "check"
_SPARE = 1.2
"""Length of stems relative to the mashup, so that the planner does not shorten it."""


def measure_analysis(
    work: Work, device: torch.device, rounds: int, *, taken: Taken, on_step: OnStep
) -> Staged:
    """Measure the analysis of one song in memory."""
    song = music.song(work.track_s)

    def once() -> _Stages:
        return _Stages(analyze_audio(song, device=str(device)).timings_s)

    return _staged("analysis", once, work, device, rounds, taken, on_step)


def measure_mashup(
    work: Work,
    device: torch.device,
    rounds: int,
    *,
    taken: Taken,
    on_step: OnStep,
    encode: EncodeOptions,
) -> Staged:
    """Measure a mashup of vocals over drums, bass and other, from FLAC stems to a checked file.

    Songs are analyzed before the first round, as after their separation.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        on_step("writing stems")
        songs = [
            SongFiles(song, _write_stems(folder / song, song, _SPARE * work.track_s))
            for song in _KINDS
        ]

        def once() -> _Stages:
            return _mashup(songs, folder, work.track_s, str(device), encode)

        label = f"mashup to {encode.format.upper()}"
        return _staged(label, once, work, device, rounds, taken, on_step)


def _staged(
    label: str,
    once: Callable[[], _Stages],
    work: Work,
    device: torch.device,
    rounds: int,
    taken: Taken,
    on_step: OnStep,
) -> Staged:
    on_step(f"{label}: warming up")
    once()
    device_bytes = None
    if device.type == "cuda":
        with PeakMemory(device) as peak:
            once()
        device_bytes = peak.device_bytes
    reset_host_peak()
    rounds_s, shares, done = [], [], list[_Stages]()

    def work_once() -> None:
        done.append(once())

    for number in range(rounds):
        on_step(f"{label}: round {number + 1} of {rounds}")
        clock = ProcessorClock()
        rounds_s.append(timed_s(work_once, device))
        shares.append(clock.share())
    run = work.run(
        label,
        rounds_s,
        peak_host_bytes=host_peak_bytes(),
        peak_device_bytes=device_bytes,
        busy_share=statistics.mean(shares) if device.type == "cpu" else None,
    )
    stages_s, processor_s = (
        {stage: round(statistics.median(one[stage] for one in each), 4) for stage in each[0]}
        for each in ([one.wall_s for one in done], [one.processor_s for one in done])
    )
    return Staged(taken, run, stages_s, processor_s, max(one.renderings for one in done))


@dataclass(frozen=True)
class _Stages:
    wall_s: Mapping[str, float]
    processor_s: Mapping[str, float] = field(default_factory=dict)
    renderings: int = 1


class _ProcessorLaps:
    """Time of all cores by stage, from the reports of a job at the start of each."""

    def __init__(self, stage: str) -> None:
        self.laps_s: defaultdict[str, float] = defaultdict(float)
        self._stage, self._since_s = stage, process_time()

    def __call__(self, stage: str, _share: float = 0.0) -> None:
        now_s = process_time()
        self.laps_s[self._stage] += now_s - self._since_s
        self._since_s = now_s
        if stage in _STAGES:  # others are parts of the check
            self._stage = stage


def _write_stems(folder: Path, song: str, duration_s: float) -> dict[str, Path]:
    played = music.stems(duration_s, _TEMPI_BPM[song])
    paths = {kind: folder / f"{kind}.flac" for kind in _KINDS[song]}
    for kind, path in paths.items():
        sound = played[kind]
        with open_writer(
            path, EncodeOptions("flac", 24), sample_rate=sound.sample_rate, channels=sound.channels
        ) as file:
            file.write(sound.samples)
    return paths


def _mashup(
    songs: list[SongFiles], folder: Path, length_s: float, device: str, encode: EncodeOptions
) -> _Stages:
    laps, started = _ProcessorLaps("read"), perf_counter()
    loader = SongLoader(SongCache(folder / "cache"), None, device=device)
    singer, host = loader.load(songs).songs
    laps("plan")
    read = perf_counter()
    plan = plan_layer(singer, [host], MixRequest(length_s=length_s))
    planned = perf_counter()
    result = make_mashup(
        plan,
        sounds_of_songs([singer, host]),
        folder / f"mix.{encode.format}",
        encode,
        device=device,
        on_progress=laps,
    )
    laps("")
    wall_s = {"read": read - started, "plan": planned - read, **result.timings_s}
    return _Stages(wall_s, dict(laps.laps_s), result.rounds)
