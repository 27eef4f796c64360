"""Speed of separating one song in memory, in turn with other engines on the same weights."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from mashup_worker.bench import ceilings, music
from mashup_worker.bench.counting import count
from mashup_worker.bench.engines import OurEngine
from mashup_worker.bench.measure import (
    PeakMemory,
    ProcessorClock,
    held_bytes,
    host_peak_bytes,
    kernel_share,
    paired_ratio,
    reset_host_peak,
    timed_s,
)
from mashup_worker.bench.peers import open_peer
from mashup_worker.bench.results import Limit, Ratio, Separation, Work
from mashup_worker.bench.text import reason
from mashup_worker.dsp.metrics import snr_db
from mashup_worker.errors import DeviceLost, InvalidInput, MashupError
from mashup_worker.models.engine import EngineOptions
from mashup_worker.models.memory_events import out_of_memory_events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    from mashup_worker.audio.signal import Audio
    from mashup_worker.bench.engines import Engine, Weights
    from mashup_worker.bench.results import Counts, Run, Taken

    OnStep = Callable[[str], object]
    """Called with the next step. An exception raised in it cancels the work."""

SWEEPS = ("batch", "precision", "compile")
_WARM_UP_S = 12.0
_PROFILED_S = 60.0
"""Part of the song that is profiled: reading a profile takes longer than the work itself."""

CUDA_BATCHES: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
CPU_BATCHES: tuple[int, ...] = (1, 2, 4)


@dataclass(frozen=True)
class SeparationRequest:
    """Separation to measure.

    Attributes:
        options: settings of this engine, whose device is `device`.
        against: names of other engines.
        sweeps: settings to vary, of `SWEEPS`.
        limit: whether to count operations and measure the limits of the device.
    """

    weights: Weights
    device: torch.device
    song_s: float
    rounds: int
    options: EngineOptions = field(default_factory=EngineOptions)
    against: tuple[str, ...] = ()
    sweeps: tuple[str, ...] = ()
    price_per_hour: float | None = None
    limit: bool = True

    def changed(self, **changes: Any) -> EngineOptions:
        """Return the options of this engine on the device, with changes."""
        return replace(self.options, device=str(self.device), **changes)


def measure_separation(
    request: SeparationRequest, taken: Taken, on_step: OnStep = lambda _step: None
) -> Iterator[Separation]:
    """Measure all engines and sweeps.

    Engines that cannot run and settings that do not fit the device are listed in the result with
    the reason.

    Yields:
        The measurements so far, after the rounds of all engines and after each value of a sweep.

    Raises:
        MashupError: this engine fails with the requested options.
    """
    limit = None
    networks = request.weights.networks if request.limit else []
    if networks:
        on_step("counting operations, measuring ceilings")
        limit = measure_limit(count(networks), request.device)
    bench = _Bench(request, on_step)
    not_run: dict[str, str] = {}
    contenders = [bench.ours(request.changed())]
    for name in request.against:
        on_step(f"warming {name} up")
        try:
            contenders.append(bench.peer(name))
        except Exception as error:  # other packages raise any exception
            not_run[name] = reason(error)
    runs, rounds_s = bench.in_turn(contenders, not_run)
    made = Separation(
        taken=taken,
        model=request.weights.model,
        random_weights=request.weights.random,
        limit=limit,
        runs=tuple(runs),
        ratios=tuple(
            Ratio.of(runs[0], run, round(paired_ratio(taken_s, rounds_s[0]), 3))
            for run, taken_s in zip(runs[1:], rounds_s[1:], strict=True)
        ),
        sweeps=dict.fromkeys(request.sweeps, ()),
        not_run=not_run,
    )
    yield made
    del contenders
    for name in request.sweeps:
        for run in bench.sweep(name, not_run):
            made = replace(made, sweeps={**made.sweeps, name: (*made.sweeps[name], run)})
            yield made
    if request.sweeps:
        yield made  # with the reasons of settings that were not run


def measure_limit(counts: Counts, device: torch.device) -> Limit:
    """Return the limits of the device and the work of a segment."""
    rates: dict[str, float] = {
        name: ceilings.product_rate(device, name) for name in ceilings.precisions(device)
    }
    bus = ceilings.bus_rates(device) if device.type == "cuda" else (None, None)
    return Limit(counts, rates, ceilings.copy_rate(device), *bus)


def sweep_values(device: torch.device, sweep: str) -> list[dict[str, Any]]:
    """Return the changes of options of a sweep."""
    if sweep == "batch":
        sizes = CUDA_BATCHES if device.type == "cuda" else CPU_BATCHES
        return [{"batch": size} for size in sizes]
    if sweep == "precision":
        return [{"precision": name} for name in ceilings.precisions(device)]
    if sweep == "compile":
        return [{"compile": False}, {"compile": True}]
    raise InvalidInput(f"unknown sweep {sweep!r}: use {', '.join(SWEEPS)} or in-flight")


class _Contender:
    """Warm engine, and its rounds.

    Attributes:
        name: name that another engine was requested by; empty for this package's.
        engine: the engine.
        device_bytes: its peak memory on the device; None on a CPU.
    """

    def __init__(self, name: str, engine: Engine, device_bytes: int | None) -> None:
        self.name, self.engine, self.device_bytes = name, engine, device_bytes
        self.rounds_s: list[float] = []
        self._host_bytes = 0
        self._shares: list[float] = []
        self._made: tuple[Tensor, ...] | None = None

    def round(self, song: Audio, device: torch.device) -> None:
        def work() -> None:
            self._made = self.engine.separate(song)

        self._made = None
        reset_host_peak()
        clock = ProcessorClock()
        self.rounds_s.append(timed_s(work, device))
        self._shares.append(clock.share())
        self._host_bytes = max(self._host_bytes, host_peak_bytes())

    def run(self, work: Work, song: Audio, exact: tuple[Tensor, ...], device: torch.device) -> Run:
        if self._made is None:
            raise MashupError("no round was measured")
        engine, busy = self.engine, None
        if device.type == "cuda":
            clip = _start(song, _PROFILED_S)
            clip_s = timed_s(lambda: engine.separate(clip), device)
            busy = kernel_share(lambda: engine.separate(clip), device, clip_s)
        elif device.type == "cpu":
            busy = sum(self._shares) / len(self._shares)
        ratio = snr_db(torch.stack(self._made), torch.stack(exact))
        return work.run(
            engine.label,
            self.rounds_s,
            busy_share=busy,
            snr_db=None if ratio == float("inf") else ratio,
            precision=engine.precision,
            batch=engine.batch,
            compiled=engine.compiled,
            peak_host_bytes=self._host_bytes,
            peak_device_bytes=self.device_bytes,
        )


class _Bench:
    """Measurement of engines on one song, compared with this engine in fp32."""

    def __init__(self, request: SeparationRequest, on_step: OnStep) -> None:
        self._request, self._on_step = request, on_step
        self._song = music.song(request.song_s)
        self._work = Work(1, request.song_s, request.price_per_hour)
        self._device = request.device
        on_step("separating in fp32, to compare with")
        # One segment at a time: other sizes of batches would be recorded in vain.
        exact = request.changed(precision="fp32", compile=False, batch=1)
        self._exact = OurEngine(request.weights, exact).separate(self._song)

    def ours(self, made: EngineOptions) -> _Contender:
        """Return this engine, warm."""
        self._on_step("warming up")
        return self._warm("", lambda: OurEngine(self._request.weights, made))

    def peer(self, name: str) -> _Contender:
        """Return another engine, warm."""
        return self._warm(name, lambda: open_peer(name, self._request.weights, self._device))

    def _warm(self, name: str, make: Callable[[], Engine]) -> _Contender:
        """Warm up; on CUDA with the whole song, so that every shape has been run."""
        before = held_bytes(self._device)
        engine = make()
        cuda = self._device.type == "cuda"
        clip = self._song if cuda else _start(self._song, _WARM_UP_S)
        timed_s(lambda: engine.separate(clip), self._device)
        if not cuda:
            return _Contender(name, engine, None)
        resting = held_bytes(self._device) - before
        with PeakMemory(self._device) as peak:
            timed_s(lambda: engine.separate(clip), self._device)
        return _Contender(name, engine, resting + (peak.device_bytes or 0))

    def in_turn(
        self, contenders: Sequence[_Contender], not_run: dict[str, str]
    ) -> tuple[list[Run], list[list[float]]]:
        """Run rounds of all engines in turn; engines that fail are removed."""
        song, device, rounds = self._song, self._device, self._request.rounds
        measured = list(contenders)
        if device.type == "cuda":  # each engine has emptied the caches of the previous one
            for one in measured:
                timed_s(partial(one.engine.separate, song), device)
        for number in range(rounds):
            for one in list(measured):
                engine = one.engine
                self._on_step(f"{engine.label}, {engine.precision}, round {number + 1} of {rounds}")
                try:
                    one.round(song, device)
                except Exception as error:
                    if not one.name:
                        raise
                    not_run[one.name] = reason(error)
                    measured.remove(one)
        runs = [one.run(self._work, song, self._exact, device) for one in measured]
        return runs, [one.rounds_s for one in measured]

    def sweep(self, name: str, not_run: dict[str, str]) -> Iterator[Run]:
        """Yield the run of this engine with each value that fits the device."""
        for changes in sweep_values(self._device, name):
            label = " ".join(f"{key} {value}" for key, value in changes.items())
            self._on_step(f"sweep: {label}")
            before = out_of_memory_events()
            try:
                runs, _ = self.in_turn([self.ours(self._request.changed(**changes))], {})
            except DeviceLost:
                raise  # later measurements would be invalid
            except Exception as error:  # compilers and drivers raise any exception
                not_run[label] = reason(error)
                continue
            if out_of_memory_events() > before:
                not_run[label] = "it does not fit into the device's memory"
                return
            yield from runs


def _start(song: Audio, duration_s: float) -> Audio:
    return replace(song, samples=song.samples[:, : round(duration_s * song.sample_rate)])
