"""Panel of the form of a song: sections, energy by bar, singing and cue points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mashup_worker.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mashup_worker.analysis.result import Analysis

FILLS = ("#dbe4f0", "#f3dfd6", "#dfeadb", "#ece0ef", "#f3edd2", "#d8ebec", "#e9e2da", "#dedede")
"""Fill colors of sections by letter, in turn."""

_LEAST_LABEL_SHARE = 0.035
"""Least width of a section with a label, as a share of the song."""

_SINGING_HEIGHT = 0.09


def draw_form(axes: Axes, analysis: Analysis) -> None:
    """Draw sections with letters and roles, the energy of the bars, and times with singing."""
    style.prepare(axes, "Sections, energy and singing")
    axes.set_ylim(0, 1.02)
    axes.set_yticks([])
    if not analysis.sections:
        style.placeholder(axes, "too short or too quiet, or without steady bars")
    letters = {one.label: None for one in analysis.sections}
    colors = dict(zip(letters, (FILLS[i % len(FILLS)] for i in range(len(letters))), strict=True))
    for section in analysis.sections:
        width_s = section.stop_s - section.start_s
        axes.axvspan(section.start_s, section.stop_s, color=colors[section.label], zorder=1)
        axes.axvline(section.start_s, color="white", linewidth=1.5, zorder=2)
        if width_s >= _LEAST_LABEL_SHARE * analysis.duration_s:
            wide = width_s >= 2 * _LEAST_LABEL_SHARE * analysis.duration_s
            label = f"{section.label} {section.role}" if section.role and wide else section.label
            axes.annotate(
                label, (section.start_s, 0.98), xytext=(5, 0), textcoords="offset points",
                va="top", fontsize=style.LABEL_PT, color=style.INK, zorder=5,
            )  # fmt: skip
    _draw_energy(axes, analysis)
    spans = [(one.start_s, one.stop_s - one.start_s) for one in analysis.singing]
    axes.broken_barh(spans, (0.0, _SINGING_HEIGHT), color=style.ACCENT, zorder=4)
    drops = [cue.time_s for cue in analysis.cue_points if cue.kind == "drop"]
    axes.plot(drops, [0.72] * len(drops), "v", color=style.ACCENT, markersize=6, zorder=5)
    known = "singing in orange" if analysis.singing_known else "singing unknown without stems"
    style.heading_note(axes, known)


def _draw_energy(axes: Axes, analysis: Analysis) -> None:
    if not analysis.bars:
        return
    starts = [bar.start_s for bar in analysis.bars]
    ends = [*starts[1:], analysis.sections[-1].stop_s if analysis.sections else starts[-1]]
    levels = [_SINGING_HEIGHT + 0.6 * bar.energy for bar in analysis.bars]
    steps = [(edge, level) for level, *edges in zip(levels, starts, ends, strict=True)
             for edge in edges]  # fmt: skip
    axes.plot(*zip(*steps, strict=True), color=style.BLUE, linewidth=1.4, zorder=3)
