"""Timeline of a mashup: the clips of each source in a row."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mashup_worker.mixing.stretch_limit import format_speed_change, speed_change
from mashup_worker.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mashup_worker.mixing.plan import Automation, Clip, Plan
    from mashup_worker.mixing.plan_grid import PlanGrid

COLORS = ("#31598c", "#c8501e", "#3d7f5f", "#8a4f9e", "#a8801f", "#4f8fa8")
"""Colors of songs, in the order of their sources."""

_ROW, _HALF = 1.0, 0.38
_SECTIONS_ROW = 0.9
_MIN_LABEL_SHARE = 0.05
"""Share of the width below which a label is drawn only if it fits unshortened."""

_LABEL_CHARACTERS = 190
"""Characters that fit into the width of the picture."""

_LOWEST_HZ, _HIGHEST_HZ = 20.0, 20_000.0
_LOWEST_DB = -36.0


def draw_timeline(axes: Axes, plan: Plan) -> None:
    """Draw clips as blocks with sloped fades, automation as lines, and sections above them."""
    style.prepare(axes, "Arrangement", pad_pt=22)
    rows = _rows(plan)
    colors = _colors(plan)
    for clip in plan.clips:
        _draw_clip(axes, clip, plan, rows[clip.source], colors[plan.sources[clip.source].song])
    for section in plan.sections:
        bars = section.at_bar, section.at_bar + section.bars
        start_s, stop_s = (plan.grid.time_at(bar) for bar in bars)
        axes.axvline(start_s, color=style.FAINT, linewidth=1.0, zorder=0)
        axes.fill_between(
            [start_s, stop_s], -_SECTIONS_ROW - 0.25, -_SECTIONS_ROW + 0.25,
            color=style.FAINT, edgecolor="white", linewidth=1.5, zorder=1,
        )  # fmt: skip
        _draw_label(axes, section.name, (start_s, stop_s), -_SECTIONS_ROW, style.INK, plan)
    axes.set_ylim(len(rows) * _ROW - 0.45, -_SECTIONS_ROW - 0.35)
    axes.set_yticks(list(rows.values()), [_row_label(name, plan) for name in rows])
    for label, name in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_color(colors[plan.sources[name].song])
    _number_bars(axes, plan)


def _rows(plan: Plan) -> dict[str, float]:
    songs = list(dict.fromkeys(source.song for source in plan.sources.values()))
    ordered = sorted(plan.sources, key=lambda name: songs.index(plan.sources[name].song))
    return {name: row * _ROW for row, name in enumerate(ordered)}


def _colors(plan: Plan) -> dict[str, str]:
    songs = dict.fromkeys(source.song for source in plan.sources.values())
    return {song: COLORS[index % len(COLORS)] for index, song in enumerate(songs)}


def _row_label(name: str, plan: Plan) -> str:
    source = plan.sources[name]
    song = source.song if len(source.song) <= 20 else f"{source.song[:18]}…"
    return f"{song} · {source.kind}"


def _draw_clip(axes: Axes, clip: Clip, plan: Plan, row: float, color: str) -> None:
    edges = [clip.at_bar, clip.at_bar + clip.fade_in_bars, clip.end_bar - clip.fade_out_bars]
    times_s = [plan.grid.time_at(edge) for edge in (*edges, clip.end_bar)]
    heights = [0.04 if clip.fade_in_bars else _HALF, _HALF, _HALF]
    heights.append(0.04 if clip.fade_out_bars else _HALF)
    axes.fill_between(
        times_s,
        [row - height for height in heights],
        [row + height for height in heights],
        color=color, alpha=0.35, edgecolor=color, linewidth=0.8, zorder=2,
    )  # fmt: skip
    for automation in clip.automation:
        _draw_automation(axes, automation, clip, plan.grid, row, color)
    inside = (times_s[1], times_s[2]) if times_s[2] > times_s[1] else (times_s[0], times_s[3])
    _draw_label(axes, _clip_label(clip), inside, row, style.INK, plan)


def _draw_automation(
    axes: Axes, automation: Automation, clip: Clip, grid: PlanGrid, row: float, color: str
) -> None:
    """Draw a curve from the lower edge of a clip (lowest value) to the upper (highest)."""
    points = [(clip.at_bar, automation.points[0][1])]
    points += [point for point in automation.points if clip.at_bar <= point[0] <= clip.end_bar]
    points.append((clip.end_bar, points[-1][1]))
    levels = [row + _HALF - 2 * _HALF * _height(automation, value) for _, value in points]
    dashes = (3, 2) if automation.parameter in ("bass_db", "gain_db") else (None, None)
    line = axes.plot([grid.time_at(bar) for bar, _ in points], levels, color=color, linewidth=1.3)[
        0
    ]
    line.set_zorder(3)
    if dashes[0] is not None:
        line.set_dashes((3, 2))


def _height(automation: Automation, value: float) -> float:
    if automation.parameter.endswith("_hz"):
        share = math.log(value / _LOWEST_HZ) / math.log(_HIGHEST_HZ / _LOWEST_HZ)
    else:
        share = (value - _LOWEST_DB) / (6.0 - _LOWEST_DB)
    return min(1.0, max(0.0, share))


def _clip_label(clip: Clip) -> str:
    facts = [f"{clip.from_bar:g}-{clip.source_end_bar:g}"]
    if clip.semitones:
        facts.append(f"{clip.semitones:+g} st")
    ratio = clip.stretch_ratio or 1.0
    if abs(speed_change(ratio)) >= 0.0005:
        facts.append(format_speed_change(ratio))
    return "  ".join(facts)


def _draw_label(
    axes: Axes, text: str, span_s: tuple[float, float], row: float, color: str, plan: Plan
) -> None:
    share = (span_s[1] - span_s[0]) / plan.grid.duration_s
    room = int(share * _LABEL_CHARACTERS)
    if share < _MIN_LABEL_SHARE and len(text) > room:
        return
    while len(text) > room and "  " in text:
        text = text.rpartition("  ")[0]
    if len(text) > room:
        return
    axes.text(
        sum(span_s) / 2, row, text, ha="center", va="center", fontsize=style.LABEL_PT - 1.5,
        color=color, zorder=4, parse_math=False, clip_on=True,
    )  # fmt: skip


def _number_bars(axes: Axes, plan: Plan) -> None:
    step = 4
    while plan.grid.bars / step > 24:
        step *= 2
    for bar in range(0, plan.grid.bars, step):
        style.number_bar(axes, plan.grid.time_at(bar), bar)
    style.heading_note(axes, f"{plan.grid.bars} bars, {plan.grid.beats_per_bar} beats a bar", 22)
