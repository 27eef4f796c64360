"""Plan of one call of `mashup bench`, with defaults for the device and an estimate of its time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

from mashup_worker.bench.pipeline import PipelineRequest
from mashup_worker.bench.processes import ProcessesRequest
from mashup_worker.bench.results import Work
from mashup_worker.bench.separation import SWEEPS, SeparationRequest, sweep_values
from mashup_worker.errors import InvalidInput
from mashup_worker.models.engine import EngineOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import torch

    from mashup_worker.bench.engines import Weights

T = TypeVar("T")

_SECTIONS = ("separation", "pipeline", "analyze", "mashup", "processes")
_SECONDS = {
    "separation": (60.0, 240.0),
    "pipeline": (30.0, 240.0),
    "analyze": (180.0, 240.0),
    "mashup": (180.0, 180.0),
    "processes": (30.0, 240.0),
}
"""Length of a song on a CPU, and on a GPU."""

_SONGS = {"pipeline": (4, 32), "processes": (2, 8)}
"""Songs of a round, or of a process in it, on a CPU and on a GPU."""

CPU_IN_FLIGHT: tuple[int, tuple[int, ...]] = (2, (1, 2, 4))
GPU_IN_FLIGHT: tuple[int, tuple[int, ...]] = (8, (1, 2, 4, 8, 16))
"""Songs in flight, and those of a sweep."""

CPU_PROCESSES: tuple[int, ...] = (1, 2)
GPU_PROCESSES: tuple[int, ...] = (1, 2, 4)

_PACE = {
    "separation": {"cpu": 3.0, "mps": 10.0, "cuda": 150.0},
    "peer": {"cpu": 2.5, "mps": 4.0, "cuda": 50.0},
    "pipeline": {"cpu": 3.0, "mps": 10.0, "cuda": 300.0},
    "processes": {"cpu": 3.0, "mps": 10.0, "cuda": 300.0},
    "analyze": {"cpu": 150.0, "mps": 150.0, "cuda": 500.0},
    "mashup": {"cpu": 10.0, "mps": 10.0, "cuda": 40.0},
}
"""Approximate speed, in times real time, for the estimate of the duration."""

_PREPARATION_S = {
    "separation": 10.0,
    "pipeline": 5.0,
    "analyze": 3.0,
    "mashup": 10.0,
    "processes": 40.0,
}
"""Loading, counting, measuring ceilings, writing songs and stems."""

_COMPILE_S = {"cpu": 90.0, "mps": 60.0, "cuda": 60.0}
_UNTIMED_ROUNDS = {"cpu": 1, "mps": 1, "cuda": 4}
"""Additional rounds of each engine: for warm-up and memory, and for the profiler."""


@dataclass(frozen=True)
class BenchRequest:
    """Request of the command line.

    Raises:
        InvalidInput: an option does not apply to the sections.
    """

    what: str
    against: tuple[str, ...]
    model: str
    model_repo: Path | None
    device: str
    precision: str
    batch: int | None
    compiled: bool
    seconds: float | None
    rounds: int | None
    songs: int | None
    in_flight: int | None
    processes: tuple[int, ...]
    sweeps: tuple[str, ...]
    limit: bool
    mashup_format: Literal["mp3", "flac"]
    price_per_hour: float | None
    command: str

    def __post_init__(self) -> None:
        known = {"separation": SWEEPS, "pipeline": ("in-flight",), "all": (*SWEEPS, "in-flight")}
        allowed = known.get(self.what, ())
        if unknown := [name for name in self.sweeps if name not in allowed]:
            use = ", ".join(allowed) or "none"
            raise InvalidInput(f"--sweep {unknown[0]}: not available for {self.what}; use {use}")
        if self.against and self.what not in ("separation", "all"):
            raise InvalidInput("--against applies to separation only")
        if self.processes and self.what not in ("processes", "all"):
            raise InvalidInput("--processes applies to processes only")

    @property
    def sections(self) -> tuple[str, ...]:
        """Sections to measure, in order."""
        return _SECTIONS if self.what == "all" else (self.what,)


@dataclass(frozen=True)
class BenchPlan:
    """Request for a device, with the device's defaults filled in."""

    request: BenchRequest
    device: torch.device

    def work(self, section: str) -> Work:
        """Return the songs of a round, their length, and the price of the machine."""
        songs = 1
        if section in _SONGS:
            songs = self.request.songs or self._default(_SONGS[section])
        return Work(songs, self._seconds(section), self.request.price_per_hour)

    def rounds(self, section: str) -> int:
        """Return the measured rounds of a section."""
        usual = {"pipeline": (1, 3), "processes": (1, 1)}.get(section, (3, 10))
        return self.request.rounds or self._default(usual)

    def separation(self, weights: Weights) -> SeparationRequest:
        """Return the separation to measure."""
        request = self.request
        return SeparationRequest(
            weights=weights,
            device=self.device,
            song_s=self._seconds("separation"),
            rounds=self.rounds("separation"),
            options=self._options,
            against=request.against,
            sweeps=tuple(name for name in request.sweeps if name in SWEEPS),
            price_per_hour=request.price_per_hour,
            limit=request.limit,
        )

    def pipeline(self, weights: Weights) -> PipelineRequest:
        """Return the pipeline to measure."""
        return PipelineRequest(
            weights=weights,
            options=self._options,
            device=self.device,
            work=self.work("pipeline"),
            in_flight=self._in_flight(),
            rounds=self.rounds("pipeline"),
        )

    def processes(self, load: Callable[[], Weights]) -> ProcessesRequest:
        """Return the worker processes to measure."""
        return ProcessesRequest(
            load=load,
            options=self._options,
            device=self.device,
            work=self.work("processes"),
            counts=self._process_counts(),
            rounds=self.rounds("processes"),
        )

    def expected_s(self) -> float:
        """Return the approximate duration of the whole call."""
        return sum(
            _PREPARATION_S[section]
            + (self._separation_s() if section == "separation" else self._rounds_s(section))
            for section in self.request.sections
        )

    @property
    def _options(self) -> EngineOptions:
        request = self.request
        return EngineOptions(
            str(self.device), request.precision, batch=request.batch, compile=request.compiled
        )

    def _seconds(self, section: str) -> float:
        return self.request.seconds or self._default(_SECONDS[section])

    def _default(self, values: tuple[T, T]) -> T:
        """Return the value for a CPU, or the one for a GPU."""
        return values[self.device.type != "cpu"]

    def _in_flight(self) -> tuple[int, ...]:
        usual, swept = self._default((CPU_IN_FLIGHT, GPU_IN_FLIGHT))
        if "in-flight" in self.request.sweeps:
            return swept
        return (self.request.in_flight or usual,)

    def _process_counts(self) -> tuple[int, ...]:
        return self.request.processes or self._default((CPU_PROCESSES, GPU_PROCESSES))

    def _separation_s(self) -> float:
        kind, request = self.device.type, self.request
        changes = [
            {"compile": request.compiled} | one
            for sweep in request.sweeps
            if sweep in SWEEPS
            for one in sweep_values(self.device, sweep)
        ]
        ours = 1 + len(changes)
        compiled = sum(bool(one["compile"]) for one in [{"compile": request.compiled}, *changes])
        compiled += kind == "cuda" and "unblend" in request.against
        rounds = self.rounds("separation") + _UNTIMED_ROUNDS[kind]
        exact = 2  # fp32 takes about twice as long, and runs once
        paces = [
            (_PACE["separation"][kind], ours * rounds + exact),
            (_PACE["peer"][kind], len(request.against) * rounds),
        ]
        songs_s = sum(times * self._seconds("separation") / pace for pace, times in paces)
        return songs_s + compiled * _COMPILE_S[kind]

    def _rounds_s(self, section: str) -> float:
        kind, work, rounds = self.device.type, self.work(section), self.rounds(section)
        times: float = rounds + (2 if kind == "cuda" else 1)  # one for warmth, one for memory
        compile_s = 0.0
        if section == "pipeline":
            times = (times - 1) * len(self._in_flight()) + 1 / work.tracks
            compile_s = self.request.compiled * _COMPILE_S[kind]
        elif section == "processes":
            counts = self._process_counts()
            times = rounds * sum(counts) + sum(counts) / work.tracks  # each separates one before
            compile_s = self.request.compiled * _COMPILE_S[kind] * len(counts)
        return times * work.tracks * work.track_s / _PACE[section][kind] + compile_s
