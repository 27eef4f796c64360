"""HTML page of a mashup with its picture, sound, measurements and plan in one file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.mixing.plan_document import format_plan
from mashup_worker.plots.mix import mix_png
from mashup_worker.report.mp3 import mp3_of
from mashup_worker.report.templates import data_uri, figure, static, template
from mashup_worker.system.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mashup_worker.audio.signal import Audio
    from mashup_worker.mixing.measures.report import Measurement, MixReport
    from mashup_worker.mixing.plan import Plan

_VERDICTS = {
    True: ("passed", "✓", "within its limit"),
    False: ("failed", "✗", "outside its limit"),
    None: ("unjudged", "–", "without a limit"),  # noqa: RUF001 - a dash beside check marks
}
"""CSS class, sign and text."""


@dataclass(frozen=True, eq=False, kw_only=True)
class MixPage:
    """Content of a mashup's page; `mix` is the mashup as it is played."""

    title: str
    plan: Plan
    mix: Audio
    report: MixReport
    timings_s: Mapping[str, float]

    @property
    def duration_s(self) -> float:
        """Duration of the mashup."""
        return self.mix.duration_s

    @property
    def elapsed_s(self) -> float:
        """Sum of the stages in seconds."""
        return sum(self.timings_s.values())

    def mark(self, one: Measurement) -> tuple[str, str, str]:
        """Return CSS class, sign and text of the verdict on a measurement."""
        return _VERDICTS[one.passed]

    def value(self, one: Measurement) -> str:
        """Return the value of a measurement as text."""
        if one.value is None or isinstance(one.value, str):
            return one.value or figure(None)
        whole = one.unit in ("", "semitones") and one.value == round(one.value)
        return figure(one.value, 0 if whole else 2)


def render_mix_page(page: MixPage) -> str:
    """Return the page as HTML, with sound and picture embedded."""
    mix = page.mix
    judged = [one for one in page.report.measurements if one.passed is not None]
    return template("mix_page.html").render(
        page=page,
        plan=page.plan,
        plan_json=format_plan(page.plan),
        report=page.report,
        judged=len(judged),
        passed=sum(bool(one.passed) for one in judged),
        style=static("page.css") + static("mix_page.css"),
        picture=data_uri("image/png", mix_png(page.plan, mix, page.report)),
        audio=data_uri("audio/mpeg", mp3_of([mix.samples], mix.sample_rate, mix.channels)),
    )


def write_mix_page(page: MixPage, path: Path) -> None:
    """Write the page, replacing an older one only when it is complete.

    Raises:
        StorageFailed: the page cannot be written.
    """
    write_atomically(path, render_mix_page(page).encode())
