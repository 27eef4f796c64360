"""Output of `mashup bench`: steps on stderr, and tables of the results."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from mashup_worker.bench.pipeline import AIM_TIMES_REAL_TIME
from mashup_worker.bench.text import first_engine, process_cells, processor_time, run_cells

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mashup_worker.bench.results import Pipeline, Processes, Results, Run, Separation, Staged

_PLAIN_WIDTH = 200
"""Columns where the output is not a terminal."""


_WIDE = 6
"""Length of a heading from which it is broken into two lines, to fit 80 columns."""


@contextmanager
def steps(shown: bool) -> Iterator[Callable[[str], object]]:
    """Yield a function that shows the current step, on a terminal only."""
    if not shown or not sys.stderr.isatty():
        yield lambda _step: None
        return
    from rich.console import Console

    with Console(stderr=True).status("") as status:
        yield status.update


def show(results: Results) -> None:
    """Print tables of the measured sections."""
    if results.separation:
        _show_separation(results.separation)
    if results.pipeline:
        _show_pipeline(results.pipeline)
    for name, staged in (("analysis", results.analyze), ("mashup", results.mashup)):
        if staged:
            _show_staged(name, staged)
    if results.processes:
        _show_processes(results.processes)


def _show_separation(made: Separation) -> None:
    song_s = made.runs[0].track_s
    learnt = "random weights of its shape" if made.random_weights else "its weights"
    _print(f"separation of {song_s:g} s in memory: {made.model}, {learnt}", _runs(made.runs))
    for ratio in made.ratios:
        typer.echo(f"{first_engine(ratio)} is {ratio.ratio:.2f} times as fast as {ratio.against}")
    for name, runs in made.sweeps.items():
        _print(f"sweep of {name}", _runs(runs))
    for name, reason in made.not_run.items():
        typer.echo(f"not run: {name}: {reason}")
    limit = made.limit
    if limit is None:
        return
    reachable = ", ".join(
        f"{name} {limit.times_real_time(name):.0f}" for name in limit.product_rates
    )
    typer.echo(f"physical limit of this network here, times real time: {reachable}")


def _show_pipeline(made: Pipeline) -> None:
    work = made.in_flight[0].run
    _print(
        f"pipeline: {work.tracks} FLAC files of {work.track_s:g} s in, 4 FLAC stems each out",
        _runs(
            [one.run for one in made.in_flight],
            [f"{one.songs} in flight" for one in made.in_flight],
        ),
    )
    best = made.best
    rows = [("stage", "busy", "x real time at most")]
    rows += [
        (name, f"{one.busy_share:.1%}", f"{one.times_real_time:,.0f}")
        for name, one in best.stages.items()
    ]
    _print(f"stages with {best.songs} in flight", rows)
    share = best.run.times_real_time / AIM_TIMES_REAL_TIME
    typer.echo(
        f"bottleneck: {best.bottleneck}. {best.run.times_real_time:.1f} times real time, "
        f"{share:.1%} of the aim for an H200 ({AIM_TIMES_REAL_TIME:g})"
    )


def _show_staged(name: str, made: Staged) -> None:
    _print(f"{name} of {made.run.track_s:g} s, in a warm process", _runs([made.run]))
    stages = ", ".join(f"{stage} {seconds:.2f} s" for stage, seconds in made.stages_s.items())
    typer.echo(f"stages: {stages}")
    if made.processor_s:
        typer.echo(processor_time(made))


def _show_processes(made: Processes) -> None:
    title = "worker processes on one device: FLAC files in, 4 stems each out"
    _print(title, _rows([process_cells(one) for one in made.counts]))


def _runs(runs: Sequence[Run], labels: Sequence[str] | None = None) -> list[tuple[str, ...]]:
    """Return a heading and one row per run; empty columns are omitted."""
    cells = [run_cells(run) for run in runs]
    for cell, label in zip(cells, labels or (), strict=False):
        cell["engine"] = label
    return _rows(cells)


def _rows(cells: Sequence[dict[str, str]]) -> list[tuple[str, ...]]:
    """Return a heading and the rows of these cells; empty columns are omitted."""
    kept = [name for name in cells[0] if any(cell[name] for cell in cells)]
    return [tuple(kept), *(tuple(cell[name] for name in kept) for cell in cells)]


def _print(title: str, rows: Iterable[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    heading, *others = rows
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    table.add_column(_broken(heading[0]), overflow="fold")
    for name in heading[1:]:
        table.add_column(_broken(name), justify="right", no_wrap=True)
    for row in others:
        table.add_row(*row)
    console = Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH, markup=False)
    console.print(table)


def _broken(heading: str) -> str:
    """Return a heading in two lines if it is wide."""
    if len(heading) <= _WIDE:
        return heading
    return "\n".join(heading.replace("/", "/\n").rsplit(" ", 1))
