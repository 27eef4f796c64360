"""Picture of the measurements of a device: throughput and memory."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from mashup_worker.plots import style

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mashup_worker.bench.results import InFlight, Results, Run, Separation

    Panel = Callable[[Axes], None]

_WIDTH_INCHES, _ROW_INCHES, _DPI = 13.0, 4.2, 100


def results_png(results: Results) -> bytes:
    """Return the picture as a PNG file."""
    content = io.BytesIO()
    draw_results(results).savefig(content, format="png", dpi=_DPI)
    return content.getvalue()


def draw_results(results: Results) -> Figure:
    """Return the picture as a figure that is independent of pyplot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = _panels(results)
    rows = max(1, -(-len(panels) // 2))
    height = rows * _ROW_INCHES + 0.7
    figure = Figure((_WIDTH_INCHES, height), facecolor="white")
    FigureCanvasAgg(figure)
    figure.suptitle(
        results.machine.device,
        x=0.06,
        y=1 - 0.18 / height,
        ha="left",
        va="top",
        fontsize=style.TITLE_PT,
        color=style.INK,
        fontweight="bold",
    )
    grid = figure.add_gridspec(
        rows, 2, hspace=0.5, wspace=0.24, left=0.07, right=0.97,
        top=1 - 1.15 / height, bottom=0.75 / height,
    )  # fmt: skip
    for index, panel in enumerate(panels):
        panel(figure.add_subplot(grid[index // 2, index % 2]))
    if not panels:
        style.placeholder(figure.add_subplot(grid[0, :]), "nothing measured")
    return figure


def _panels(results: Results) -> list[Panel]:
    panels: list[Panel] = []
    made = results.separation
    if made is not None:
        batches = made.sweeps.get("batch", ())
        if batches:
            panels += [
                lambda axes: _draw_curve(axes, "Throughput against batch", batches),
                lambda axes: _draw_memory(axes, batches),
            ]
        panels.append(lambda axes: _draw_engines(axes, made))
    if results.pipeline is not None:
        in_flight = results.pipeline.in_flight
        panels.append(lambda axes: _draw_pipeline(axes, in_flight))
    return panels


def _draw_curve(axes: Axes, heading: str, runs: Sequence[Run]) -> None:
    style.prepare(axes, heading, "times real time")
    style.heading_note(axes, f"{runs[0].precision}, median to 95th percentile")
    sizes = [str(run.batch) for run in runs]
    _band(axes, sizes, runs)
    axes.set_xlabel("segments in a batch", fontsize=style.LABEL_PT, color=style.QUIET)


def _band(axes: Axes, names: Sequence[str], runs: Sequence[Run]) -> None:
    speeds = [run.times_real_time for run in runs]
    slow = [run.times_real_time * run.p50_s / run.p95_s for run in runs]
    axes.fill_between(names, slow, speeds, color=style.PALE_BLUE, alpha=0.4, linewidth=0)
    axes.plot(names, speeds, color=style.BLUE, marker="o", linewidth=2)
    axes.set_ylim(0, 1.2 * max(speeds))
    text: dict[str, Any] = {"ha": "center", "fontsize": style.LABEL_PT, "color": style.INK}
    for name, speed in zip(names, speeds, strict=True):
        axes.annotate(
            f"{speed:.3g}", (name, speed), textcoords="offset points", xytext=(0, 8), **text
        )


def _draw_memory(axes: Axes, runs: Sequence[Run]) -> None:
    on_device = all(run.peak_device_bytes is not None for run in runs)
    style.prepare(axes, "Memory against batch", "GB")
    style.heading_note(
        axes, "reserved on the device" if on_device else "resident, the whole process"
    )
    peaks = [(run.peak_device_bytes if on_device else run.peak_host_bytes) or 0 for run in runs]
    heights = [peak / 1e9 for peak in peaks]
    bars = axes.bar([str(run.batch) for run in runs], heights, color=style.PALE_BLUE, width=0.6)
    axes.bar_label(bars, fmt="%.2f", fontsize=style.LABEL_PT, color=style.INK, padding=3)
    axes.set_ylim(0, 1.2 * max(heights))
    axes.set_xlabel("segments in a batch", fontsize=style.LABEL_PT, color=style.QUIET)


def _draw_engines(axes: Axes, made: Separation) -> None:
    """Draw every engine, precision and compile setting side by side."""
    style.prepare(axes, "Separation of one song", "")
    style.heading_note(axes, "times real time")
    runs = [*made.runs, *made.sweeps.get("precision", ()), *made.sweeps.get("compile", ())]
    by_name: dict[str, Run] = {}
    for run in runs:
        compiled = ", compiled" if run.compiled else ""
        by_name.setdefault(f"{run.label}, {run.precision}{compiled}", run)
    ranked = sorted(by_name.items(), key=lambda item: item[1].times_real_time)
    ours = made.runs[0].label
    colors = [style.BLUE if run.label == ours else style.PALE_BLUE for _, run in ranked]
    speeds = [run.times_real_time for _, run in ranked]
    bars = axes.barh(range(len(ranked)), speeds, color=colors, height=0.42)
    axes.bar_label(bars, fmt="%.3g", fontsize=style.LABEL_PT, color=style.INK, padding=4)
    axes.set(xlim=(0, 1.15 * max(speeds)), ylim=(-0.4, len(ranked) - 0.2), yticks=[])
    for place, (name, _) in enumerate(ranked):
        axes.text(0, place + 0.27, name, fontsize=style.LABEL_PT, color=style.INK, va="bottom")


def _draw_pipeline(axes: Axes, in_flight: Sequence[InFlight]) -> None:
    style.prepare(axes, "Pipeline, files to files", "times real time")
    best = max(in_flight, key=lambda one: one.run.times_real_time)
    style.heading_note(axes, f"bottleneck: {best.bottleneck}")
    _band(axes, [str(one.songs) for one in in_flight], [one.run for one in in_flight])
    axes.set_xlabel("songs in flight", fontsize=style.LABEL_PT, color=style.QUIET)
