"""Steps one after the other, each of them written down when it ends."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.gpu.document import joined, measured
from benchmarks.gpu.processes import Ending, run
from benchmarks.gpu.summary import Outcome, doctor_findings, junit_counts, lines
from mashup_worker.bench.documents import path_of, to_json
from mashup_worker.system.files import write_atomically

if TYPE_CHECKING:
    from benchmarks.gpu.steps import Step
    from mashup_worker.bench.results import Results

_WRITING_S = 5.0
"""Kept of the time for the summary."""


class Session:
    """The steps that have ended, and the files that say so."""

    def __init__(self, folder: Path, command: str, minutes: float, *, fake: bool) -> None:
        self.outcomes: list[Outcome] = []
        self._folder, self._command, self._fake = folder, command, fake
        self._started = time.monotonic()
        self._deadline = self._started + 60 * minutes - _WRITING_S
        self._log = folder / "log.txt"
        self._log.write_bytes(b"")
        self.junit = folder / "junit.xml"
        self.junit.unlink(missing_ok=True)

    def take(self, step: Step) -> None:
        """Run a step, or skip it, and write the results so far."""
        left_s = self._deadline - time.monotonic()
        if reason := step.skipped or self._known(step):
            outcome = Outcome(step, Ending("skipped", reason=reason))
        elif left_s < step.least_s:
            outcome = Outcome(step, Ending("skipped", reason="no time left"))
        else:
            outcome = self._run(step, min(step.limit_s, left_s))
        self.outcomes.append(outcome)
        self._write()
        print(f"{step.name}: {outcome.text} ({outcome.ending.seconds:.0f} s)", flush=True)

    def _run(self, step: Step, limit_s: float) -> Outcome:
        with tempfile.TemporaryDirectory() as name:
            arguments = step.command(Path(name), self._results())
            with self._log.open("a") as log:
                log.write(f"\n==== {step.name}: python -m {step.module} {' '.join(arguments)}\n")
            begin = self._log.stat().st_size
            ending = run(step.module, arguments, self._log, limit_s=limit_s, fake=self._fake)
            output = self._log.read_bytes()[begin:].decode(errors="replace")
            if ending.status == "done" and ending.exit_code not in step.exit_codes:
                ending = replace(ending, status="failed", reason=_reason(ending, output))
            found = ""
            if step.name == "doctor":
                found = doctor_findings(output)
            elif not step.writes:
                found = junit_counts(self.junit)
            return Outcome(step, ending, measured(Path(name)), found)

    def _known(self, step: Step) -> str | None:
        """Return why a step is not needed any more."""
        results = self._results()
        made = results.separation if results else None
        peers = {ratio.against.partition(" ")[0] for ratio in (made.ratios if made else ())}
        return "measured above" if step.unless_beside in peers else None

    def _results(self) -> Results | None:
        parts = [outcome.results for outcome in self.outcomes if outcome.results]
        return joined(parts, self._command)

    def summary(self) -> list[str]:
        """Return the lines of the summary so far."""
        return lines(self.outcomes, self._results(), time.monotonic() - self._started)

    def _write(self) -> None:
        results = self._results()
        if results:
            path = path_of(results.machine, self._folder)
            write_atomically(path, to_json(results).encode())
        (self._folder / "summary.txt").write_text("\n".join(self.summary()) + "\n")


def _reason(ending: Ending, output: str) -> str:
    """Return the last line that a failed step printed, or its exit code."""
    words = output.strip().splitlines()
    return words[-1] if words else f"exit code {ending.exit_code}"
