"""Picture of a mashup: arrangement, spectrogram and loudness on one time axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torchaudio.transforms import MelSpectrogram

from mashup_worker.plots import style
from mashup_worker.plots.timeline import draw_timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mashup_worker.audio.signal import Audio
    from mashup_worker.mixing.measures.report import MixReport
    from mashup_worker.mixing.plan import Plan

WIDTH_PIXELS, DPI = 1600, 100
_COLUMNS = 1400
_MELS = 128
_LOWEST_HZ, _HIGHEST_HZ = 30.0, 16_000.0
_RANGE_DB = 70.0
_ROW_INCHES = 0.42
_WINDOW_SAMPLES = 4096


def mix_png(plan: Plan, mix: Audio, report: MixReport) -> bytes:
    """Return the picture of a finished mashup as a PNG file."""
    return style.figure_png(draw_mix(plan, mix, report), DPI)


def draw_mix(plan: Plan, mix: Audio, report: MixReport) -> Figure:
    """Return the picture as a figure that is independent of pyplot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    heights = (1.0 + _ROW_INCHES * len(plan.sources), 2.6, 2.4)
    total = sum(heights) + 2.2
    figure = Figure((WIDTH_PIXELS / DPI, total), facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        3, 1, height_ratios=heights, hspace=0.3, left=0.16, right=0.945,
        top=1 - 0.6 / total, bottom=0.4 / total,
    )  # fmt: skip
    rows: list[Axes] = [figure.add_subplot(grid[0])]
    rows += [figure.add_subplot(grid[row], sharex=rows[0]) for row in (1, 2)]
    draw_timeline(rows[0], plan)
    draw_spectrogram(rows[1], mix)
    draw_loudness(rows[2], plan, report)
    rows[0].set_xlim(0, max(plan.grid.duration_s, mix.duration_s))
    rows[0].xaxis.set_major_formatter(lambda time_s, _: f"{int(time_s) // 60}:{time_s % 60:02.0f}")
    for row in rows[:-1]:
        row.tick_params(labelbottom=False)
    return figure


def draw_spectrogram(axes: Axes, mix: Audio) -> None:
    """Draw the mel spectrogram of the mean of all channels."""
    style.prepare(axes, "Spectrogram", "Hz")
    mono = mix.samples.mean(0).cpu()
    hop = max(1, -(-len(mono) // _COLUMNS))
    highest = min(_HIGHEST_HZ, mix.sample_rate / 2)
    window = max(_WINDOW_SAMPLES, 1 << (hop - 1).bit_length())
    if len(mono) < window or not mono.any():
        style.placeholder(axes, "silent or too short")
        return
    mel = MelSpectrogram(
        mix.sample_rate, n_fft=window, hop_length=hop, f_min=_LOWEST_HZ, f_max=highest, n_mels=_MELS
    )
    power = mel(mono).numpy()
    level_db = 10 * np.log10(np.maximum(power, 1e-12))
    top = float(level_db.max())
    axes.imshow(
        level_db, origin="lower", aspect="auto", interpolation="nearest", cmap=style.shades(),
        vmin=top - _RANGE_DB, vmax=top,
        extent=(0.0, len(mono) / mix.sample_rate, 0.0, float(_MELS)),
    )  # fmt: skip
    shown_hz = [hz for hz in (100, 300, 1_000, 3_000, 10_000) if hz < highest]
    axes.set_yticks([_mel_band(hz, highest) for hz in shown_hz], [f"{hz:,}" for hz in shown_hz])


def _mel_band(hz: float, highest_hz: float) -> float:
    def mels(frequency_hz: float) -> float:
        return float(2595 * np.log10(1 + frequency_hz / 700))

    low, high = mels(_LOWEST_HZ), mels(highest_hz)
    return _MELS * (mels(hz) - low) / (high - low)


def draw_loudness(axes: Axes, plan: Plan, report: MixReport) -> None:
    """Draw short-term loudness over time, the target loudness, and splices."""
    style.prepare(axes, "Short-term loudness", "LUFS")
    axes.grid(axis="y", color=style.FAINT, linewidth=0.7)
    axes.set_axisbelow(True)
    # A value is drawn at the center of its 3 s, so that a step coincides with its splice.
    times_s = report.loudness_curve.ends_s.double().numpy() - 1.5
    lufs = torch.where(
        report.loudness_curve.lufs.isfinite(), report.loudness_curve.lufs, torch.nan
    ).double()
    target = report.target_lufs
    for splice_s in plan.splices_s:
        axes.axvline(splice_s, color=style.FAINT, linewidth=1.0, zorder=0)
    if not len(lufs) or bool(lufs.isnan().all()):
        style.placeholder(axes, "too short or too quiet for loudness")
        return
    axes.plot(times_s, lufs.numpy(), color=style.BLUE, linewidth=2.0)
    highest = float(lufs.nan_to_num(-70.0).max())
    axes.set_ylim(max(float(lufs.nan_to_num(0.0).min()), highest - 24) - 2, highest + 3)
    if target is not None:
        axes.axhline(target, color=style.ACCENT, linewidth=1.3).set_dashes((6, 3))
        style.label_right(axes, target, f"{target:.1f}", color=style.ACCENT, fontweight="bold")
        style.heading_note(axes, "dashed: target of integrated loudness; vertical lines: splices")
