"""One call of `mashup bench`; each section is saved as soon as it is measured."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import typer

from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.bench.documents import check_savable, save, to_json
from mashup_worker.bench.engines import load_weights
from mashup_worker.bench.machine import describe, versions
from mashup_worker.bench.peers import check_installed
from mashup_worker.bench.pipeline import measure_pipeline
from mashup_worker.bench.processes import measure_processes
from mashup_worker.bench.results import Results, Taken
from mashup_worker.bench.separation import measure_separation
from mashup_worker.bench.staged import measure_analysis, measure_mashup
from mashup_worker.commands.bench.output import show, steps
from mashup_worker.commands.bench.plan import BenchPlan
from mashup_worker.commands.shared.failure import usage_errors
from mashup_worker.errors import EXIT_FAILED, MashupError
from mashup_worker.models.device import resolve_device, resolve_precision
from mashup_worker.models.store import WeightStore
from mashup_worker.system.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mashup_worker.bench.engines import Weights
    from mashup_worker.commands.bench.plan import BenchRequest
    from mashup_worker.settings import Settings

    OnStep = Callable[[str], object]


@dataclass
class BenchRun:
    """Call of the command."""

    request: BenchRequest
    settings: Settings
    folder: Path
    as_json: bool
    plot: bool
    quiet: bool

    def all(self) -> None:
        """Measure, save and print all sections."""
        request = self.request
        with usage_errors():
            device = resolve_device(request.device)
            resolve_precision(request.precision, device)
        for peer in request.against:
            check_installed(peer)
        machine = describe(device)
        check_savable(machine, self.folder)
        weights = None
        if {"separation", "pipeline", "processes"} & {*request.sections}:
            with usage_errors():
                weights = self._load()
            if weights.random:
                self._say(f"no weights of {weights.model} here: random ones of the same shape")
        plan = BenchPlan(request, device)
        self._say(f"measuring on {machine.device}: {_about(plan.expected_s())}")
        for section in request.sections:
            with steps(self._prints_text) as on_step:
                for made in self._measure(section, plan, weights, on_step):
                    whole, path = save(made, self.folder)
            if self._prints_text:
                show(made)
        self._finish(whole, path)

    @property
    def _load(self) -> Callable[[], Weights]:
        """Function that loads the networks, in this process or another."""
        request = self.request
        store = WeightStore(self.settings)
        return partial(load_weights, request.model, store, request.model_repo)

    @property
    def _prints_text(self) -> bool:
        return not (self.as_json or self.quiet)

    def _say(self, text: str) -> None:
        if self._prints_text:
            typer.echo(text, err=True)

    def _finish(self, whole: Results, path: Path) -> None:
        if self.as_json:
            typer.echo(to_json(whole), nl=False)
        self._say(f"written to {path}")
        if self.plot:
            from mashup_worker.bench.plot import results_png

            picture = path.with_suffix(".png")
            write_atomically(picture, results_png(whole))
            self._say(f"drawn to {picture}")
        failures = self._failures(whole)
        for name, reason in failures.items():
            typer.echo(f"mashup: {name}: {reason}", err=True)
        if failures:
            raise typer.Exit(EXIT_FAILED)

    def _failures(self, whole: Results) -> dict[str, str]:
        """Return the reason of each request that was not measured at all, by its name."""
        missing = whole.separation.not_run if whole.separation else {}
        failures = {name: missing[name] for name in self.request.against if name in missing}
        counts = whole.processes.counts if whole.processes else ()
        if "processes" in self.request.sections and counts[0].run is None:
            failures[f"{counts[0].processes} processes"] = counts[0].failures[0]
        return failures

    def _measure(
        self, section: str, plan: BenchPlan, weights: Weights | None, on_step: OnStep
    ) -> Iterator[Results]:
        """Yield the measurements of a section so far, whenever more are complete."""
        machine, taken, device = describe(plan.device), self._taken(), plan.device
        work, rounds = plan.work(section), plan.rounds(section)
        if section == "analyze":
            made = measure_analysis(work, device, rounds, taken=taken, on_step=on_step)
            yield Results(machine, analyze=made)
        elif section == "mashup":
            options = EncodeOptions(self.request.mashup_format)
            made = measure_mashup(
                work, device, rounds, taken=taken, on_step=on_step, encode=options
            )
            yield Results(machine, mashup=made)
        elif weights is None:
            raise MashupError(f"no weights were loaded for {section}")
        elif section == "pipeline":
            for pipeline in measure_pipeline(plan.pipeline(weights), taken, on_step):
                yield Results(machine, pipeline=pipeline)
        elif section == "processes":
            for processes in measure_processes(plan.processes(self._load), weights, taken, on_step):
                yield Results(machine, processes=processes)
        else:
            for separation in measure_separation(plan.separation(weights), taken, on_step):
                yield Results(machine, separation=separation)

    def _taken(self) -> Taken:
        found = versions("mashup-worker", "demucs", *self.request.against)
        return Taken(self.request.command, f"{datetime.now(UTC):%Y-%m-%d}", found)


def _about(seconds: float) -> str:
    if seconds < 90:
        return f"this takes about {max(10, round(seconds, -1)):.0f} s"
    return f"this takes about {seconds / 60:.0f} min"
