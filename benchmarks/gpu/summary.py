"""What the steps found, in lines for a screen of 80 columns and 24 rows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from benchmarks.gpu.aims import aims
from mashup_worker.bench.text import decibels, significant

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.gpu.processes import Ending
    from benchmarks.gpu.steps import Step
    from mashup_worker.bench.results import (
        Pipeline,
        ProcessCount,
        Processes,
        Results,
        Separation,
        Staged,
    )

WIDTH = 80
_NAME, _TEXT, _AIM = 16, 56, 53


@dataclass(frozen=True)
class Outcome:
    """A step that has ended.

    Attributes:
        step: that.
        ending: how it ended.
        results: its measurements; None if there are none.
        found: what a step that measures nothing found.
    """

    step: Step
    ending: Ending
    results: Results | None = None
    found: str = ""

    @property
    def text(self) -> str:
        """One line of what came of it."""
        ending = self.ending
        text = _measured(self.step, self.results) if self.results else self.found
        if ending.status == "done":
            return text
        return f"{ending.status}: {text or ending.reason}"


def lines(outcomes: Sequence[Outcome], results: Results | None, seconds: float) -> list[str]:
    """Return the summary: a line a step, and a line an aim."""
    device = results.machine.device if results else "no device measured"
    taken = results.separation.taken.versions if results and results.separation else {}
    versions = ", ".join(f"{name} {taken[name]}" for name in ("torch", "demucs") if name in taken)
    head = f"{device}{', ' if versions else ''}{versions}; {seconds / 60:.1f} minutes"
    rows = [head[:WIDTH], f"{'step':{_NAME}}{'result':{_TEXT}}{'seconds':>8}"]
    for outcome in outcomes:
        text = outcome.text
        if len(text) > _TEXT - 1:
            text = text[: _TEXT - 4] + "..."
        rows.append(f"{outcome.step.name:{_NAME}}{text:{_TEXT}}{outcome.ending.seconds:8.0f}")
    rows.append(f"{'aim':{_AIM}}{'wanted':>7}{'found':>7}")
    for aim in aims(results):
        reached = "-" if aim.reached is None else significant(aim.reached)
        wanted = f"{'<=' if aim.at_most else '>='}{aim.wanted:g}"
        rows.append(f"{aim.text:{_AIM}}{wanted:>7}{reached:>7} {aim.mark}")
    return [row.rstrip() for row in rows]


def doctor_findings(output: str) -> str:
    """Return the checks in which `mashup doctor --json` found errors and warnings."""
    try:
        findings = json.loads(output[output.index("[") : output.rindex("]") + 1])
    except ValueError:
        return "no findings"
    serious = [
        f"{one['severity']} in {one['check']}"
        for one in findings
        if one["severity"] in ("error", "warning")
    ]
    return ", ".join(serious) or "no faults"


def junit_counts(junit: Path) -> str:
    """Return how many tests passed, failed and were skipped, from pytest's XML report."""
    try:
        root = ET.parse(junit).getroot()
    except (OSError, ET.ParseError):
        return ""
    totals = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    for suite in root.iter("testsuite"):
        for name in totals:
            totals[name] += int(suite.get(name, 0))
    not_passed = totals["failures"] + totals["errors"] + totals["skipped"]
    counts = {"passed": totals["tests"] - not_passed, "failed": totals["failures"]}
    counts |= {"errors": totals["errors"], "skipped": totals["skipped"]}
    return ", ".join(
        f"{count} {name}" for name, count in counts.items() if count or name == "passed"
    )


def _measured(step: Step, results: Results) -> str:
    if results.separation:
        return _separation(results.separation)
    if results.pipeline:
        return _pipeline(results.pipeline)
    if results.processes:
        return _processes(results.processes)
    staged = results.analyze or results.mashup
    return _staged(staged) if staged else step.name


def _separation(made: Separation) -> str:
    for name, runs in made.sweeps.items():
        if runs:
            best = max(runs, key=lambda run: run.times_real_time)
            fastest = f"fastest of {len(runs)}: {name} {best.batch}"
            return f"{fastest}, {significant(best.times_real_time)} x real time"
    run = made.runs[0]
    precision = f"{run.precision}{' compiled' if run.compiled else ''}"
    parts = [f"{precision} {significant(run.times_real_time)} x real time", decibels(run.snr_db)]
    parts += [f"{ratio.ratio:.2f} x {ratio.against.partition(' ')[0]}" for ratio in made.ratios]
    parts += [f"{name}: {reason}" for name, reason in made.not_run.items()]
    return ", ".join(parts)


def _pipeline(made: Pipeline) -> str:
    best = made.best
    speed = significant(best.run.times_real_time)
    return f"{speed} x real time, {best.songs} in flight; bottleneck {best.bottleneck}"


def _processes(made: Processes) -> str:
    """Return speed and memory of each number of processes."""
    return "; ".join(f"{one.processes}: {_process_count(one)}" for one in made.counts)


def _process_count(one: ProcessCount) -> str:
    run, parts = one.run, []
    if run:
        parts = [f"{significant(run.times_real_time)} x"]
        if run.peak_device_bytes is not None:
            parts.append(f"{significant(run.peak_device_bytes / 1e9)} GB")
    return ", ".join([*parts, *one.failures[:1]])


def _staged(made: Staged) -> str:
    slowest = max(made.stages_s, key=lambda name: made.stages_s[name])
    seconds = significant(made.run.p50_s)
    return (
        f"{seconds} s for {made.run.track_s:g} s; {slowest} takes "
        f"{significant(made.stages_s[slowest])} s"
    )
