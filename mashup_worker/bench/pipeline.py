"""Speed from files to stems on disk, with several songs in flight in one process."""

from __future__ import annotations

import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from mashup_worker.audio.encode import open_writer
from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.bench import music
from mashup_worker.bench.engines import OurEngine
from mashup_worker.bench.measure import (
    PeakMemory,
    ProcessorClock,
    covered,
    held_bytes,
    host_peak_bytes,
    kernel_share,
    reset_host_peak,
    timed_s,
)
from mashup_worker.bench.results import InFlight, Pipeline, Stage, Work
from mashup_worker.errors import Canceled
from mashup_worker.models.streams import wait_for
from mashup_worker.pipelines.separation.separate import SeparateRequest, separate_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    from mashup_worker.audio.signal import SampleSource
    from mashup_worker.bench.engines import Weights
    from mashup_worker.bench.results import Taken
    from mashup_worker.models.engine import EngineOptions
    from mashup_worker.models.separator import OnShare, Separator
    from mashup_worker.pipelines.separation.separate import SeparateResult

    OnStep = Callable[[str], object]
    """Called with the next step. An exception raised in it cancels the work."""

AIM_TIMES_REAL_TIME = 1000.0
"""Target for one machine with a GPU like the H200."""


@dataclass(frozen=True, kw_only=True)
class PipelineRequest:
    """Pipeline to measure, with each of several numbers of songs in flight."""

    weights: Weights
    options: EngineOptions
    device: torch.device
    work: Work
    in_flight: tuple[int, ...]
    rounds: int


def measure_pipeline(request: PipelineRequest, taken: Taken, on_step: OnStep) -> Iterator[Pipeline]:
    """Measure FLAC files in and four FLAC stems each out, in a temporary folder.

    Yields:
        The measurements so far, after each number of songs in flight. The last is complete.
    """
    on_step("pipeline: writing songs, warming up")
    before = held_bytes(request.device)
    engine = OurEngine(request.weights, request.options)
    with tempfile.TemporaryDirectory() as name:
        songs = write_songs(Path(name, "songs"), request.work)
        flow = Flow(engine.separator, songs, Path(name, "stems"), request.device)
        flow.round(in_flight=1, songs=1)
        resting = held_bytes(request.device) - before
        measured: list[InFlight] = []
        for in_flight in request.in_flight:
            measured.append(_measure(request, engine, flow, in_flight, resting, on_step))
            weights = request.weights
            yield Pipeline(
                taken=taken,
                model=weights.model,
                random_weights=weights.random,
                in_flight=tuple(measured),
            )


def _measure(
    request: PipelineRequest,
    engine: OurEngine,
    flow: Flow,
    in_flight: int,
    resting_bytes: int,
    on_step: OnStep,
) -> InFlight:
    device_bytes = None
    if request.device.type == "cuda":
        with PeakMemory(request.device) as peak:
            flow.round(in_flight)
        device_bytes = resting_bytes + (peak.device_bytes or 0)
    reset_host_peak()
    rounds = []
    for number in range(request.rounds):
        on_step(f"pipeline: {in_flight} in flight, round {number + 1} of {request.rounds}")
        rounds.append(flow.round(in_flight))
    host_bytes = host_peak_bytes()
    middle = sorted(rounds, key=lambda one: one.wall_s)[len(rounds) // 2]
    busy = middle.device_s / middle.wall_s
    if request.device.type == "cuda":
        few_s = flow.round(in_flight, songs=in_flight).wall_s  # profiles of more take long to read
        few = partial(flow.round, in_flight, songs=in_flight)
        busy = kernel_share(few, request.device, few_s) or busy
    stages = middle.stages(in_flight, request.work, busy, own_device=request.device.type != "cpu")
    run = request.work.run(
        engine.label,
        [one.wall_s for one in rounds],
        peak_host_bytes=host_bytes,
        precision=engine.precision,
        batch=engine.batch,
        compiled=engine.compiled,
        peak_device_bytes=device_bytes,
        busy_share=middle.processor_share if request.device.type == "cpu" else busy,
    )
    bottleneck = max(stages, key=lambda name: stages[name].busy_share)
    return InFlight(songs=in_flight, run=run, stages=stages, bottleneck=bottleneck)


@dataclass(frozen=True)
class Round:
    """Round of some songs.

    Attributes:
        processor_share: share of the time of all cores.
        decode_s, encode_s: time summed over songs.
        device_s: time in which at least one song was in the networks.
    """

    wall_s: float
    processor_share: float
    decode_s: float
    device_s: float
    encode_s: float

    def stages(
        self, in_flight: int, work: Work, device_share: float, own_device: bool
    ) -> dict[str, Stage]:
        """Return the share of each stage, and the speed it would have alone."""
        audio_s = work.tracks * work.track_s
        shares = {
            "decode": self.decode_s / (in_flight * self.wall_s),
            "device": device_share,
            "encode": self.encode_s / (in_flight * self.wall_s),
        }
        if own_device:
            shares["processor"] = self.processor_share
        return {
            name: Stage(
                busy_share=round(min(1.0, share), 4),
                times_real_time=round(audio_s / (share * self.wall_s), 1),
            )
            for name, share in shares.items()
            if share > 0
        }


class Flow:
    """Songs through decoder, device and encoders, several at once."""

    def __init__(
        self, separator: Separator, songs: Sequence[Path], out: Path, device: torch.device
    ) -> None:
        self._separator, self._songs, self._out, self._device = separator, songs, out, device

    def round(self, in_flight: int, songs: int | None = None) -> Round:
        """Process all songs, or the first few."""
        results: list[SeparateResult] = []
        watched = _Watched(self._separator)

        def work() -> None:
            with ThreadPoolExecutor(in_flight) as pool:
                jobs = [pool.submit(self._one, watched, path) for path in self._songs[:songs]]
                try:
                    results.extend(job.result() for job in jobs)
                except BaseException:
                    watched.stopped = True
                    pool.shutdown(cancel_futures=True)
                    raise

        clock = ProcessorClock()
        wall_s = timed_s(work, self._device)
        share = clock.share()
        shutil.rmtree(self._out)
        return Round(
            wall_s=wall_s,
            processor_share=share,
            decode_s=sum(result.timings_s["decode"] for result in results),
            device_s=covered(watched.spans_s),
            encode_s=sum(result.timings_s["encode"] for result in results),
        )

    def _one(self, watched: _Watched, path: Path) -> SeparateResult:
        folder = self._out / path.stem
        targets = {kind: folder / f"{kind}.flac" for kind in watched.stems}
        return separate_file(watched, SeparateRequest(path, targets))


class _Watched:
    """Separator that records in `spans_s` when songs use it, and can be stopped."""

    def __init__(self, separator: Separator) -> None:
        self._separator = separator
        self.spans_s: list[tuple[float, float]] = []
        self.stopped = False
        self.name, self.stems = separator.name, separator.stems
        self.license = separator.license
        self.weights_sha256 = separator.weights_sha256
        self.sample_rate, self.channels = separator.sample_rate, separator.channels
        self.device, self.precision = separator.device, separator.precision
        self.residual_stem = separator.residual_stem

    def warm_up(self) -> None:
        """See `Separator.warm_up`."""
        self._separator.warm_up()

    def stream(
        self,
        mix: SampleSource,
        stems: Sequence[str] | None = None,
        *,
        on_progress: OnShare | None = None,
        on_device: bool = False,
    ) -> Iterator[Tensor]:
        """See `Separator.stream`."""
        start = time.perf_counter()
        blocks = self._separator.stream(mix, stems, on_progress=on_progress, on_device=on_device)
        for block in blocks:
            if self.stopped:
                raise Canceled
            yield block
        wait_for(torch.device(self.device))
        self.spans_s.append((start, time.perf_counter()))


def write_songs(folder: Path, work: Work) -> list[Path]:
    """Write the songs of a round as FLAC files; returns their paths."""
    song = music.song(work.track_s)
    first = folder / "0.flac"
    with open_writer(
        first, EncodeOptions("flac", 16), sample_rate=song.sample_rate, channels=song.channels
    ) as file:
        file.write(song.samples)
    others = [folder / f"{number}.flac" for number in range(1, work.tracks)]
    for path in others:
        shutil.copyfile(first, path)
    return [first, *others]
