"""One call of `mashup bench`: section after section, each written as soon as it is measured."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from mashup_worker.bench.ceilings import precisions
from mashup_worker.bench.documents import check_savable, save, to_json
from mashup_worker.bench.engines import load_weights
from mashup_worker.bench.machine import describe, versions
from mashup_worker.bench.peers import check_installed
from mashup_worker.bench.pipeline import PipelineRequest, measure_pipeline
from mashup_worker.bench.results import Results, Taken, Work
from mashup_worker.bench.separation import SWEEPS, SeparationRequest, measure_separation
from mashup_worker.bench.staged import measure_analysis, measure_mashup
from mashup_worker.commands.bench_output import Steps, show
from mashup_worker.commands.failure import fail
from mashup_worker.errors import EXIT_FAILED, EXIT_USAGE, InvalidInput, MashupError
from mashup_worker.models.demucs_engine import EngineOptions
from mashup_worker.models.device import resolve_device, resolve_precision

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from mashup_worker.bench.engines import Weights
    from mashup_worker.settings import Settings

_SECTIONS = ("separation", "pipeline", "analyze", "mashup")
_CPU_SECONDS = {"separation": 60.0, "pipeline": 30.0, "analyze": 180.0, "mashup": 180.0}
_GPU_SECONDS = {"separation": 240.0, "pipeline": 240.0, "analyze": 240.0, "mashup": 180.0}
_CPU_LANES, _GPU_LANES = (2, (1, 2, 4)), (8, (1, 2, 4, 8, 16))
"""Songs in flight, and those of a sweep."""

_PACE = {"cpu": 3.0, "mps": 10.0, "cuda": 150.0}
"""Times real time, about, to say how long it will take."""

_OTHERS_S = {"separation": 12.0, "pipeline": 4.0, "analyze": 6.0, "mashup": 45.0}


@dataclass(frozen=True)
class BenchRequest:
    """What the command line asks for.

    Raises:
        InvalidInput: at once, for what can't be swept, or is asked of a section that it is not of.
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
    lanes: int | None
    sweeps: tuple[str, ...]
    price_per_hour: float | None
    command: str

    def __post_init__(self) -> None:
        known = {"separation": SWEEPS, "pipeline": ("lanes",), "all": (*SWEEPS, "lanes")}
        allowed = known.get(self.what, ())
        if unknown := [name for name in self.sweeps if name not in allowed]:
            use = ", ".join(allowed) or "none"
            raise InvalidInput(f"--sweep {unknown[0]}: of {self.what}, one can sweep {use}")
        if self.against and self.what not in ("separation", "all"):
            raise InvalidInput("--against compares separation")

    @property
    def sections(self) -> tuple[str, ...]:
        """What is measured, in order."""
        return _SECTIONS if self.what == "all" else (self.what,)


@dataclass
class BenchRun:
    """One call of the command."""

    request: BenchRequest
    settings: Settings
    folder: Path
    as_json: bool
    plot: bool
    quiet: bool

    def all(self) -> None:
        """Measure, write, and show. Ends the command."""
        device = self._device()
        for peer in self.request.against:
            check_installed(peer)
        check_savable(describe(device), self.folder)
        steps = Steps(not (self.quiet or self.as_json))
        weights = self._weights() if {"separation", "pipeline"} & {*self.request.sections} else None
        if weights is not None and weights.random:
            steps.say(f"no weights of {weights.model} here: random ones of the same shape")
        steps.say(f"measuring on {describe(device).device}: {_about(self._expected_s(device))}")
        whole, path = None, None
        for section in self.request.sections:
            with steps.running() as on_step:
                made = self._measure(section, device, weights, on_step)
            whole, path = save(made, self.folder)
            if not (self.as_json or self.quiet):
                show(made)
        if whole is None or path is None:
            raise MashupError("nothing was measured")
        self._finish(whole, path, steps)

    def _finish(self, whole: Results, path: Path, steps: Steps) -> None:
        if self.as_json:
            typer.echo(to_json(whole), nl=False)
        steps.say(f"written to {path}")
        if self.plot:
            from mashup_worker.system.files import write_whole
            from mashup_worker.bench.plot import results_png

            picture = path.with_suffix(".png")
            write_whole(picture, results_png(whole))
            steps.say(f"drawn to {picture}")
        missing = whole.separation.not_run if whole.separation else {}
        failed = [name for name in self.request.against if name in missing]
        for name in failed:
            typer.echo(f"mashup: {name}: {missing[name]}", err=True)
        if failed:
            raise typer.Exit(EXIT_FAILED)

    def _device(self) -> torch.device:
        try:
            device = resolve_device(self.request.device)
            resolve_precision(self.request.precision, device)
        except InvalidInput as error:
            fail(error.message, EXIT_USAGE)
        return device

    def _weights(self) -> Weights:
        from mashup_worker.models.store import WeightStore

        request = self.request
        try:
            return load_weights(request.model, WeightStore(self.settings), request.model_repo)
        except InvalidInput as error:
            fail(error.message, EXIT_USAGE)

    def _measure(
        self, section: str, device: torch.device, weights: Weights | None, on_step: Steps
    ) -> Results:
        request, machine, taken = self.request, describe(device), self._taken()
        work, rounds = self._work(section, device), self._rounds(device)
        if section == "analyze":
            made = measure_analysis(work, device, rounds, taken, on_step.next)
            return Results(machine, analyze=made)
        if section == "mashup":
            made = measure_mashup(work, device, rounds, taken, on_step.next)
            return Results(machine, mashup=made)
        if weights is None:
            raise MashupError(f"no weights were loaded for {section}")
        if section == "pipeline":
            pipeline = PipelineRequest(
                weights=weights,
                options=EngineOptions(
                    str(device),
                    request.precision,
                    batch=request.batch,
                    compile=request.compiled,
                ),
                device=device,
                work=work,
                lanes=self._lanes(device),
                rounds=1 if device.type == "cpu" else min(rounds, 3),
            )
            return Results(machine, pipeline=measure_pipeline(pipeline, taken, on_step.next))
        return Results(
            machine,
            separation=measure_separation(
                self._separation(weights, device, rounds), taken, on_step.next
            ),
        )

    def _separation(self, weights: Weights, device: torch.device, rounds: int) -> SeparationRequest:
        request = self.request
        return SeparationRequest(
            weights=weights,
            device=device,
            song_s=self._seconds("separation", device),
            rounds=rounds,
            precision=request.precision,
            batch=request.batch,
            compiled=request.compiled,
            against=request.against,
            sweeps=tuple(name for name in request.sweeps if name in SWEEPS),
            price_per_hour=request.price_per_hour,
        )

    def _taken(self) -> Taken:
        found = versions("mashup-worker", "demucs", *self.request.against)
        return Taken(self.request.command, f"{datetime.now(UTC):%Y-%m-%d}", found)

    def _seconds(self, section: str, device: torch.device) -> float:
        by_section = _CPU_SECONDS if device.type == "cpu" else _GPU_SECONDS
        return self.request.seconds or by_section[section]

    def _rounds(self, device: torch.device) -> int:
        return self.request.rounds or (3 if device.type == "cpu" else 10)

    def _songs(self, device: torch.device) -> int:
        return self.request.songs or (4 if device.type == "cpu" else 32)

    def _work(self, section: str, device: torch.device) -> Work:
        tracks = self._songs(device) if section == "pipeline" else 1
        return Work(tracks, self._seconds(section, device), self.request.price_per_hour)

    def _lanes(self, device: torch.device) -> tuple[int, ...]:
        usual, swept = _CPU_LANES if device.type == "cpu" else _GPU_LANES
        if "lanes" in self.request.sweeps:
            return swept
        return (self.request.lanes or usual,)

    def _expected_s(self, device: torch.device) -> float:
        pace, rounds, total = _PACE[device.type], self._rounds(device), 0.0
        for section in self.request.sections:
            one = self._seconds(section, device) / pace
            total += _OTHERS_S[section]
            if section == "separation":
                peers = len(self.request.against)
                total += one * (2.5 + rounds + 2.5 * rounds * peers)
                values = {"batch": 3, "precision": len(precisions(device)), "compile": 2}
                total += sum(
                    one * rounds * values[name] for name in self.request.sweeps if name in values
                )
            elif section == "pipeline":
                total += one * self._songs(device) * len(self._lanes(device))
        return total


def _about(seconds: float) -> str:
    if seconds < 90:
        return f"this takes about {max(10, round(seconds, -1)):.0f} s"
    return f"this takes about {seconds / 60:.0f} min"
