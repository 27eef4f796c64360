"""Speed from files to stems on disk of several worker processes that share a device.

Each process separates songs of its own one at a time, as `mashup worker --processes N` does.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from mashup_worker.bench.engines import OurEngine
from mashup_worker.bench.measure import host_peak_bytes, reset_host_peak
from mashup_worker.bench.parallel import ParallelProcesses
from mashup_worker.bench.pipeline import Flow, write_songs
from mashup_worker.bench.results import ProcessCount, Processes
from mashup_worker.models.device import release_memory
from mashup_worker.models.memory_events import out_of_memory_events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mashup_worker.bench.engines import Weights
    from mashup_worker.bench.results import Run, Taken, Work
    from mashup_worker.models.engine import EngineOptions

    OnStep = Callable[[str], object]
    """Called with the next step. An exception raised in it cancels the work."""

SHORT_OF_MEMORY = "ran out of memory and continued in smaller batches"


@dataclass(frozen=True, kw_only=True)
class ProcessesRequest:
    """Numbers of processes to measure. Each process gets a pickled copy.

    Attributes:
        load: loads the networks in each process.
        work: songs of each process.
        counts: numbers of processes.
    """

    load: Callable[[], Weights]
    options: EngineOptions
    device: torch.device
    work: Work
    counts: tuple[int, ...]
    rounds: int


@dataclass(frozen=True, kw_only=True)
class Share:
    """Round of one process.

    Attributes:
        start_s, stop_s: start and end of its songs, on the clock that all processes share.
        host_bytes: peak resident memory.
        device_bytes: peak that torch has reserved on the device so far; None on a CPU.
        is_short: whether the device has run out of memory so far, and batches became smaller.
    """

    start_s: float
    stop_s: float
    host_bytes: int
    device_bytes: int | None
    is_short: bool
    label: str
    precision: str
    compiled: bool


def measure_processes(
    request: ProcessesRequest, weights: Weights, taken: Taken, on_step: OnStep
) -> Iterator[Processes]:
    """Measure each number of processes, up to the first that fails or runs out of memory.

    Yields:
        The measurements so far, after each number of processes. The last is complete.
    """
    on_step("processes: writing songs")
    release_memory(request.device)  # cached by other measurements of this process
    measured: list[ProcessCount] = []
    with tempfile.TemporaryDirectory() as name:
        tracks = max(request.counts) * request.work.tracks
        songs = write_songs(Path(name, "songs"), replace(request.work, tracks=tracks))
        for count in request.counts:
            measured.append(_measure(request, count, songs, on_step))
            yield Processes(
                taken=taken,
                model=weights.model,
                random_weights=weights.random,
                counts=tuple(measured),
            )
            if measured[-1].failures:
                return


def _measure(
    request: ProcessesRequest, count: int, songs: Sequence[Path], on_step: OnStep
) -> ProcessCount:
    rounds: list[list[Share]] = []
    before = _used_bytes(request.device)
    with ParallelProcesses(partial(prepare, request, songs), count) as processes:
        on_step(f"processes: {count}, loading and warming up")
        processes.start()
        while len(rounds) < request.rounds and not processes.failures:
            on_step(f"processes: {count}, round {len(rounds) + 1} of {request.rounds}")
            rounds.append(processes.round())
        used = _used_bytes(request.device) - before
    if processes.failures:
        return ProcessCount(count, None, tuple(processes.failures))
    short = [SHORT_OF_MEMORY for share in rounds[-1] if share.is_short]
    return ProcessCount(count, run_together(request, rounds, used), tuple(short))


def prepare(request: ProcessesRequest, songs: Sequence[Path], number: int) -> Callable[[], Share]:
    """Load the networks and separate a song; return a function that separates all songs.

    Args:
        request: numbers of processes, and songs of each.
        songs: songs of all processes.
        number: number of this process, from 0.
    """
    engine = OurEngine(request.load(), request.options)
    first = number * request.work.tracks
    own = songs[first : first + request.work.tracks]
    flow = Flow(engine.separator, own, own[0].with_suffix(""), request.device)
    flow.round(in_flight=1, songs=1)
    return partial(_separate, engine, flow, request.device)


def _separate(engine: OurEngine, flow: Flow, device: torch.device) -> Share:
    reset_host_peak()
    start_s = time.perf_counter()
    wall_s = flow.round(in_flight=1).wall_s
    on_cuda = device.type == "cuda"
    return Share(
        start_s=start_s,
        stop_s=start_s + wall_s,  # without deleting the stems
        host_bytes=host_peak_bytes(),
        device_bytes=torch.cuda.max_memory_reserved(device) if on_cuda else None,
        is_short=out_of_memory_events() > 0,
        label=engine.label,
        precision=engine.precision,
        compiled=engine.compiled,
    )


def run_together(
    request: ProcessesRequest, rounds: Sequence[Sequence[Share]], used_bytes: int
) -> Run:
    """Return the rounds of all processes as one run.

    A round lasts from the first start to the last end. Memory is that of all processes.

    Args:
        request: request of the rounds.
        rounds: shares of all processes, for each round.
        used_bytes: memory of the device at the end of the rounds. It includes the contexts of CUDA,
            which torch's peaks omit, and omits memory that was released before.
    """
    one, device_bytes = rounds[0][0], None
    if one.device_bytes is not None:
        device_bytes = max(used_bytes, sum(share.device_bytes or 0 for share in rounds[-1]))
    return replace(request.work, tracks=len(rounds[0]) * request.work.tracks).run(
        one.label,
        [
            max(share.stop_s for share in shares) - min(share.start_s for share in shares)
            for shares in rounds
        ],
        precision=one.precision,
        batch=request.options.batch,
        compiled=all(share.compiled for share in rounds[-1]),
        peak_host_bytes=max(sum(share.host_bytes for share in shares) for shares in rounds),
        peak_device_bytes=device_bytes,
    )


def _used_bytes(device: torch.device) -> int:
    """Return the memory of a CUDA device that any process uses; 0 for other devices."""
    if device.type != "cuda":
        return 0
    free, total = torch.cuda.mem_get_info(device)
    return total - free
