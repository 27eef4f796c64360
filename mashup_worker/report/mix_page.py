"""A mashup as one HTML page that needs nothing else: picture, sound, measurements and plan."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import jinja2

from mashup_worker.mixing.plan_document import format_plan
from mashup_worker.plots.mix import mix_png
from mashup_worker.report.media import Mp3Writer
from mashup_worker.report.page import clock, figure
from mashup_worker.system.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mashup_worker.audio.signal import Audio
    from mashup_worker.mixing.measures.report import Measurement, MixReport
    from mashup_worker.mixing.plan import Plan

_MARKS = {True: ("passed", "✓", "as wanted"), False: ("failed", "✗", "not as wanted")}
_TOLD = ("told", "–", "only told")  # noqa: RUF001 - neither yes nor no


@dataclass(frozen=True, eq=False)
class MixPage:
    """What a page tells of.

    Attributes:
        title: what the mashup is called.
        plan: what was rendered.
        mix: how it sounds.
        report: what was measured of it.
        timings_s: seconds spent in each stage.
    """

    title: str
    plan: Plan
    mix: Audio
    report: MixReport
    timings_s: Mapping[str, float]

    @property
    def duration_s(self) -> float:
        """Its length."""
        return self.mix.duration_s

    @property
    def elapsed_s(self) -> float:
        """Seconds spent in all."""
        return sum(self.timings_s.values())

    def mark(self, one: Measurement) -> tuple[str, str, str]:
        """Class, sign and words for whether a figure is as wanted."""
        return _TOLD if one.passed is None else _MARKS[one.passed]

    def value(self, one: Measurement) -> str:
        """A figure for reading."""
        if one.value is None or isinstance(one.value, str):
            return one.value or figure(None)
        whole = one.unit in ("", "semitones") and one.value == round(one.value)
        return figure(one.value, 0 if whole else 2)


def render_mix_page(page: MixPage) -> str:
    """The page as HTML text, sound and picture included."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"clock": clock, "figure": figure}
    judged = [one for one in page.report.measurements if one.passed is not None]
    return environment.from_string(_static("mix_page.html")).render(
        page=page,
        plan=page.plan,
        plan_json=format_plan(page.plan),
        report=page.report,
        judged=len(judged),
        passed=sum(bool(one.passed) for one in judged),
        style=_static("page.css") + _static("mix_page.css"),
        picture=_data_uri("image/png", mix_png(page.plan, page.mix, page.report)),
        audio=_data_uri("audio/mpeg", _mp3(page.mix)),
    )


def write_mix_page(page: MixPage, path: Path) -> None:
    """Write the page to `path`, which holds the old file or the whole new one at any time.

    Raises:
        StorageFailed: the page can't be written.
    """
    write_whole(path, render_mix_page(page).encode())


def _mp3(mix: Audio) -> bytes:
    writer = Mp3Writer(mix.rate_hz, mix.channels)
    writer.add(mix.samples.cpu().numpy().T, last=True)
    return writer.finish()


def _static(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _data_uri(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"
