"""Output of `mashup mix`: text lines, or one line of JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mashup_worker.commands.shared.output import Output


@dataclass(frozen=True)
class MixPrinter(Output):
    """Printer of a finished mashup."""

    def done(self, document: dict[str, Any]) -> None:
        """Print the mashup, its notes, and its measurements."""
        self.json(document)
        plan, report = document["plan"], document["report"]
        grid = plan["grid"]
        duration_s = grid["bars"] * grid["beats_per_bar"] * 60 / grid["tempo_bpm"]
        facts = [
            f"{plan['form']}, {plan['vibe']} {plan['intensity']:g}",
            f"{grid['tempo_bpm']:.2f} BPM",
            plan["key"] or "no key",
            f"{grid['bars']} bars",
            f"{int(duration_s // 60)}:{duration_s % 60:04.1f}",
        ]
        self.line(f"{document['output']}: {', '.join(facts)}; {document['elapsed_s']:.1f} s")
        for note in plan["notes"]:
            self.line(f"  {note}")
        judged = [one for one in report["measurements"] if one["passed"] is not None]
        failed = [one for one in judged if not one["passed"]]
        self.line(f"  {len(judged) - len(failed)} of {len(judged)} measurements passed")
        for one in failed:
            value = one["value"]
            text = f"{value:.2f}" if isinstance(value, float) else value
            figure = f"{text} {one['unit']}".strip()
            self.line(f"  {one['name']}: {figure}, expected {one['wanted']}")
