"""What `mashup mix` prints: a few lines for people, or one of JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mashup_worker.commands.shared.output import Output


@dataclass(frozen=True)
class MixPrinter(Output):
    """Tells of a mashup that was made."""

    def done(self, document: dict[str, Any]) -> None:
        """Say what was made, what a person should know of it, and what was measured."""
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
        self.line(f"  {len(judged) - len(failed)} of {len(judged)} measurements as they should be")
        for one in failed:
            value = one["value"]
            told = f"{value:.2f}" if isinstance(value, float) else value
            figure = f"{told} {one['unit']}".strip()
            self.line(f"  {one['name']}: {figure} instead of {one['wanted']}")
