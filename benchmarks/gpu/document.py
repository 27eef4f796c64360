"""One document of what the steps measured in documents of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from mashup_worker.bench.documents import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from mashup_worker.bench.results import Pipeline, Processes, Results, Separation, Staged, Taken

T = TypeVar("T")
S = TypeVar("S", "Processes", "Staged")


def measured(folder: Path) -> Results | None:
    """Return the document that a step left in its folder; None where it left none."""
    paths = sorted(folder.glob("*.json"))
    return read(paths[0]) if paths else None


def joined(parts: Sequence[Results], command: str) -> Results | None:
    """Return one document of all parts, in the name of the command that measured them all.

    Of an engine, a ratio or a setting that several parts measured, the first counts.
    """
    if not parts:
        return None
    separations = [part.separation for part in parts if part.separation]
    pipelines = [part.pipeline for part in parts if part.pipeline]
    analyses = [part.analyze for part in parts if part.analyze]
    mashups = [part.mashup for part in parts if part.mashup]
    processes = [part.processes for part in parts if part.processes]
    return replace(
        parts[0],
        separation=_separation(separations, command) if separations else None,
        pipeline=_pipeline(pipelines, command) if pipelines else None,
        analyze=_measured_once(analyses, command),
        mashup=_measured_once(mashups, command),
        processes=_measured_once(processes, command),
    )


def _measured_once(parts: Sequence[S], command: str) -> S | None:
    return replace(parts[0], taken=_taken([parts[0].taken], command)) if parts else None


def _separation(parts: Sequence[Separation], command: str) -> Separation:
    return replace(
        parts[0],
        taken=_taken([part.taken for part in parts], command),
        limit=next((part.limit for part in parts if part.limit), None),
        runs=_first(
            (run for part in parts for run in part.runs),
            lambda run: (run.label, run.precision, run.batch, run.compiled),
        ),
        ratios=_first(
            (ratio for part in parts for ratio in part.ratios),
            lambda ratio: (ratio.label, ratio.precision, ratio.compiled, ratio.against),
        ),
        sweeps={name: runs for part in reversed(parts) for name, runs in part.sweeps.items()},
        not_run={name: reason for part in parts for name, reason in part.not_run.items()},
    )


def _pipeline(parts: Sequence[Pipeline], command: str) -> Pipeline:
    in_flight = _first((one for part in parts for one in part.in_flight), lambda one: one.songs)
    return replace(
        parts[0],
        taken=_taken([part.taken for part in parts], command),
        in_flight=tuple(sorted(in_flight, key=lambda one: one.songs)),
    )


def _taken(parts: Sequence[Taken], command: str) -> Taken:
    versions = {name: version for part in parts for name, version in part.versions.items()}
    return replace(parts[0], command=command, versions=versions)


def _first(values: Iterable[T], key: Callable[[T], object]) -> tuple[T, ...]:
    """Return the first value of each key, in order."""
    by_key: dict[object, T] = {}
    for value in values:
        by_key.setdefault(key(value), value)
    return tuple(by_key.values())
