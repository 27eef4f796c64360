"""Plot of an analysis: waveform, form, tempogram, chroma and loudness on one time axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mashup_worker.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mashup_worker.analysis.result import Analysis, AnalyzeResult
    from mashup_worker.audio.signal import SampleSource

WIDTH_PIXELS, HEIGHT_PIXELS = 1600, 1200
DPI = 100
LONGEST_TITLE = 80


def analysis_png(result: AnalyzeResult, waveform: SampleSource, title: str) -> bytes:
    """Return the plot of an analysis as a PNG file; the waveform may be the sum of stems."""
    return style.figure_png(draw_analysis(result, waveform, title), DPI)


def draw_analysis(result: AnalyzeResult, waveform: SampleSource, title: str) -> Figure:
    """Return the plot as a figure that is independent of pyplot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from mashup_worker.plots import panels
    from mashup_worker.plots.form_panel import draw_form

    analysis, evidence = result.analysis, result.evidence
    figure = Figure((WIDTH_PIXELS / DPI, HEIGHT_PIXELS / DPI), facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        5, 1, height_ratios=(0.9, 1, 0.8, 1.15, 0.8), hspace=0.4, left=0.06, right=0.945,
        top=0.868, bottom=0.045,
    )  # fmt: skip
    rows: list[Axes] = [figure.add_subplot(grid[0])]
    rows += [figure.add_subplot(grid[row], sharex=rows[0]) for row in (2, 3, 4)]
    form = figure.add_subplot(grid[1], sharex=rows[0])
    span_s = max(analysis.duration_s, waveform.length_samples / waveform.sample_rate, 1e-3)
    rows[0].set_xlim(0, span_s)
    panels.draw_waveform(rows[0], waveform, analysis)
    draw_form(form, analysis)
    panels.draw_tempogram(rows[1], evidence, analysis)
    panels.draw_chroma(rows[2], evidence, analysis)
    panels.draw_loudness(rows[3], evidence, analysis)
    step_s = _tick_step_s(span_s)
    rows[0].set_xticks([step_s * n for n in range(int(span_s / step_s) + 1)])
    rows[0].xaxis.set_major_formatter(lambda time_s, _: _clock(time_s, step_s))
    for row in (form, *rows[:-1]):
        row.tick_params(labelbottom=False)
    figure.text(
        0.06, 0.977, _shown(title), fontsize=style.TITLE_PT, color=style.INK, va="top",
        fontweight="bold", parse_math=False,
    )  # fmt: skip
    figure.text(
        0.06, 0.94, _summary(analysis), fontsize=style.HEADING_PT, color=style.QUIET, va="top"
    )
    return figure


def _summary(analysis: Analysis) -> str:
    duration_s = analysis.duration_s
    facts = [_clock(duration_s) if duration_s >= 1 else f"{duration_s:.2f} s"]
    if analysis.tempo_bpm is not None:
        varies = " (varies)" if analysis.tempo_stable is False else ""
        facts.append(f"{analysis.tempo_bpm:.2f} BPM{varies}")
    if analysis.beats_per_bar:
        facts.append(f"{analysis.beats_per_bar} beats a bar")
    if analysis.key:
        facts.append(f"{analysis.key} ({analysis.camelot})")
    if analysis.loudness_lufs is not None:
        facts.append(f"{analysis.loudness_lufs:.1f} LUFS")
    return "   ·   ".join(facts)


def _shown(title: str) -> str:
    line = " ".join(title.encode(errors="replace").decode().split())
    half = LONGEST_TITLE // 2
    return line if len(line) <= LONGEST_TITLE else f"{line[:half]} … {line[-half:]}"


def _tick_step_s(span_s: float) -> float:
    steps = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
    return next((step for step in steps if span_s / step <= 14), 7200)


def _clock(time_s: float, step_s: float = 1.0) -> str:
    digits = 0 if step_s >= 1 else 1 if step_s >= 0.1 else 2
    minutes, ticks = divmod(round(time_s * 10**digits), 60 * 10**digits)
    return f"{minutes}:{ticks / 10**digits:0{3 + digits if digits else 2}.{digits}f}"
