"""Panels of the plot of an analysis."""

from __future__ import annotations

from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from mashup_worker.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray
    from torch import Tensor

    from mashup_worker.analysis.result import Analysis, Evidence
    from mashup_worker.audio.signal import SampleSource

    Floats = NDArray[np.float64]

COLUMNS = 1600
"""Greatest number of columns, about one per pixel."""

MOST_LINES = 700
"""Greatest number of lines across a panel; more would merge into gray."""

MOST_BAR_NUMBERS = 20

_BLOCK_SAMPLES = 1 << 20

_ABOVE_BAR_NUMBERS_PT = 18

SHARP_NAMES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
FLAT_NAMES = ("C", "D♭", "D", "E♭", "E", "F", "G♭", "G", "A♭", "A", "B♭", "B")
KEYS_WITH_FLATS = ("F major", "D minor", "G minor", "C minor", "F minor")
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}

LEAST_SCORE = 0.02
"""Least score of a tempo that is drawn."""

LOWEST_SHOWN_LUFS = -60.0


def draw_waveform(axes: Axes, waveform: SampleSource, analysis: Analysis) -> None:
    """Draw the envelope, with beats, downbeats and bar numbers."""
    style.prepare(axes, "Waveform, beats and bars", pad_pt=_ABOVE_BAR_NUMBERS_PT)
    low, high = envelope(waveform)
    peak = max(float(high.max(initial=0)), float(-low.min(initial=0)))
    if peak == 0:
        style.placeholder(axes, "silence" if waveform.length_samples else "no sound")
    span = peak * 1.05 or 1.0
    axes.set_ylim(-span, span)
    times_s = np.linspace(0, waveform.length_samples / waveform.sample_rate, len(low))
    axes.fill_between(times_s, low, high, color=style.PALE_BLUE, linewidth=0.3, zorder=2)
    beats, bars = np.array(analysis.beats_s), np.array(analysis.downbeats_s)
    if 0 < len(beats) <= MOST_LINES:
        axes.vlines(beats, -span, span, colors=style.QUIET, linewidth=0.5, alpha=0.5, zorder=3)
    step = 8
    while len(bars) / step > MOST_BAR_NUMBERS:
        step *= 2
    lines = bars if len(bars) <= MOST_LINES else bars[::step]
    if len(lines):
        axes.vlines(lines, -span, span, colors=style.ACCENT, linewidth=1.1, alpha=0.85, zorder=4)
    for bar in range(0, len(bars), step):
        style.number_bar(axes, bars[bar], bar + 1)
    if len(beats):
        per_bar = f", {analysis.beats_per_bar} a bar" if analysis.beats_per_bar else ""
        style.heading_note(
            axes, f"{len(beats)} beats{per_bar}, {len(bars)} bars", _ABOVE_BAR_NUMBERS_PT
        )
    elif peak > 0:
        style.heading_note(axes, "no beats found", _ABOVE_BAR_NUMBERS_PT)


def draw_tempogram(axes: Axes, evidence: Evidence, analysis: Analysis) -> None:
    """Draw the strength of each tempo over time, with the chosen tempo and the alternatives."""
    style.prepare(axes, "Tempogram", "BPM")
    strength = _numbers(evidence.tempogram)
    tempi_bpm = _numbers(evidence.tempogram_bpm)
    lowest, highest = (
        (float(tempi_bpm.min()), float(tempi_bpm.max())) if len(tempi_bpm) > 1 else (30.0, 300.0)
    )
    axes.set_ylim(np.log2(lowest), np.log2(highest))
    ticks = [t for t in (30, 40, 60, 80, 100, 120, 160, 220, 300) if lowest <= t <= highest]
    axes.set_yticks(np.log2(ticks), [str(tick) for tick in ticks])
    if strength.size == 0 or not strength.max() > 0:
        style.placeholder(axes, "too short or too quiet to show a rhythm")
        return
    # Rows are spaced evenly in log tempo, like the axis.
    order = np.argsort(tempi_bpm)
    rows = np.linspace(np.log2(lowest), np.log2(highest), 240)
    source = np.interp(rows, np.log2(tempi_bpm[order]), order)
    image = _fewer_columns(strength)[np.rint(source).astype(int)]
    _show(axes, image, evidence.tempogram_times_s, (rows[0], rows[-1]))
    _draw_tempo(axes, analysis)


def _draw_tempo(axes: Axes, analysis: Analysis) -> None:
    if analysis.tempo_bpm is None:
        style.heading_note(axes, "no tempo found")
        return
    beats_s = np.array(analysis.beats_s)
    if analysis.tempo_stable is False and len(beats_s) > 9:
        # Eight beats at once, to average the jitter of single beats.
        local_bpm = 60 * 8 / (beats_s[8:] - beats_s[:-8])
        axes.plot(beats_s[4:-4], np.log2(local_bpm), color=style.ACCENT, linewidth=1.8)
    else:
        axes.axhline(np.log2(analysis.tempo_bpm), color=style.ACCENT, linewidth=1.6)
    others = [one.tempo_bpm for one in analysis.tempo_candidates if one.score >= LEAST_SCORE]
    others = [t for t in others if abs(np.log2(t / analysis.tempo_bpm)) > 0.02]
    levels = [np.log2(t) for t in (analysis.tempo_bpm, *others)]
    named = style.without_overlap(levels, 0.2)
    style.label_right(
        axes, levels[0], f"{analysis.tempo_bpm:.2f}", color=style.ACCENT, fontweight="bold"
    )
    for level, tempo_bpm, is_named in zip(levels[1:], others, named[1:], strict=True):
        axes.axhline(level, color=style.ACCENT, linewidth=0.9, alpha=0.55, dashes=(4, 4))
        if is_named:
            style.label_right(axes, level, f"{tempo_bpm:.1f}", color=style.QUIET)
    varies = "varies, mainly " if analysis.tempo_stable is False else ""
    style.heading_note(
        axes, f"{varies}{analysis.tempo_bpm:.2f} BPM, confidence {analysis.tempo_confidence:.0%}"
    )


def draw_chroma(axes: Axes, evidence: Evidence, analysis: Analysis) -> None:
    """Draw the strength of the twelve pitch classes; those of the key are bold."""
    named = f": {analysis.key} ({analysis.camelot})" if analysis.key else ""
    style.prepare(axes, f"Chroma{named}")
    axes.set_ylim(-0.5, 11.5)
    tonic = _name_notes(axes, analysis.key)
    if tonic is not None:
        style.label_right(axes, tonic, "tonic", color=style.ACCENT, fontweight="bold")
        for edge in (tonic - 0.5, tonic + 0.5):
            axes.axhline(edge, color=style.ACCENT, linewidth=1.0, zorder=4)
    chroma = _numbers(evidence.chroma)
    if chroma.size == 0 or not chroma.max() > 0:
        style.placeholder(axes, "too short or too quiet to show notes")
        return
    _show(axes, _fewer_columns(chroma), evidence.chroma_times_s, (-0.5, 11.5))
    facts = ["no key found"]
    if analysis.key is not None:
        facts = [f"confidence {analysis.key_confidence:.0%}", f"profile {analysis.key_profile}"]
    if analysis.tuning_cents is not None:
        facts.append(f"tuning {round(analysis.tuning_cents):+d} cents")
    style.heading_note(axes, ", ".join(facts))


def _name_notes(axes: Axes, key: str | None) -> int | None:
    tonic, notes = notes_of(key)
    has_flats = key is not None and (key[1:2] == "b" or key in KEYS_WITH_FLATS)
    axes.set_yticks(range(12), FLAT_NAMES if has_flats else SHARP_NAMES)
    for pitch, label in enumerate(axes.get_yticklabels()):
        label.set_color(style.INK if not notes or pitch in notes else style.PALE_BLUE)
        label.set_fontweight("bold" if pitch in notes else "normal")
        if pitch == tonic:
            label.set_color(style.ACCENT)
    return tonic


def draw_loudness(axes: Axes, evidence: Evidence, analysis: Analysis) -> None:
    """Draw momentary and short-term loudness over time, and the integrated loudness."""
    style.prepare(axes, "Loudness", "LUFS")
    axes.grid(axis="y", color=style.FAINT, linewidth=0.7)
    axes.set_axisbelow(True)
    _draw_levels(axes, evidence)
    integrated = analysis.loudness_lufs
    if integrated is not None:
        line = axes.axhline(integrated, color=style.ACCENT, linewidth=1.3, label="integrated")
        line.set_dashes((6, 3))
        style.label_right(
            axes, integrated, f"{integrated:.1f}", color=style.ACCENT, fontweight="bold"
        )
    if axes.get_legend_handles_labels()[0]:
        box = {"facecolor": "white", "edgecolor": "none", "framealpha": 0.85}
        text = {"fontsize": style.LABEL_PT - 0.5, "labelcolor": style.QUIET}
        axes.legend(loc="lower right", ncols=3, **box, **text)
    facts = (
        ("integrated", integrated, "LUFS"),
        ("range", analysis.loudness_range_lu, "LU"),
        ("true peak", analysis.true_peak_dbtp, "dBTP"),
    )
    known = (f"{name} {value:.1f} {unit}" for name, value, unit in facts if value is not None)
    style.heading_note(axes, ", ".join(known))


def _draw_levels(axes: Axes, evidence: Evidence) -> None:
    times_s = _numbers(evidence.loudness_times_s)
    momentary, short_term = (
        np.where(np.isfinite(levels), levels, np.nan)
        for levels in (_numbers(evidence.momentary_lufs), _numbers(evidence.short_term_lufs))
    )
    if len(times_s) > COLUMNS:
        starts = np.arange(0, len(times_s), ceil(len(times_s) / COLUMNS))
        times_s = times_s[starts]
        momentary, short_term = (np.fmax.reduceat(x, starts) for x in (momentary, short_term))
    levels = np.concatenate([momentary, short_term])
    levels = levels[np.isfinite(levels)]
    if not len(levels) or levels.max() <= LOWEST_SHOWN_LUFS:
        axes.set_ylim(LOWEST_SHOWN_LUFS, 0)
        style.placeholder(axes, "too short or too quiet for loudness")
        return
    highest = float(levels.max())
    lowest = max(LOWEST_SHOWN_LUFS, float(np.percentile(levels, 2)) - 3)
    axes.set_ylim(min(lowest, highest - 12), highest + 3)
    axes.plot(times_s, momentary, color=style.PALE_BLUE, linewidth=1.0, label="momentary (0.4 s)")
    axes.plot(times_s, short_term, color=style.BLUE, linewidth=2.0, label="short-term (3 s)")


def envelope(waveform: SampleSource) -> tuple[Floats, Floats]:
    """Return the lowest and highest sample of each column over all channels."""
    length = waveform.length_samples
    width = max(1, ceil(length / COLUMNS))
    step = ceil(_BLOCK_SAMPLES / width) * width
    lows, highs = [np.zeros(0)], [np.zeros(0)]
    for start in range(0, length, step):
        samples = waveform.read(start, min(length, start + step)).cpu().numpy()
        columns = np.arange(0, samples.shape[1], width)
        lows.append(np.minimum.reduceat(samples.min(axis=0), columns))
        highs.append(np.maximum.reduceat(samples.max(axis=0), columns))
    return np.concatenate(lows), np.concatenate(highs)


def notes_of(key: str | None) -> tuple[int | None, frozenset[int]]:
    """Return the tonic (0 for C) and the pitch classes of a key such as `"A minor"`."""
    tonic_name, _, mode = (key or "").partition(" ")
    spelled = tonic_name.replace("#", "♯").replace("b", "♭")
    for names in (SHARP_NAMES, FLAT_NAMES):
        if spelled in names and mode in SCALES:
            tonic = names.index(spelled)
            return tonic, frozenset((tonic + step) % 12 for step in SCALES[mode])
    return None, frozenset()


def _show(axes: Axes, image: Floats, times_s: Tensor, rows: tuple[float, float]) -> None:
    """Draw an image on its time axis; the brightest hundredth has one shade."""
    times = _numbers(times_s)
    gaps = np.array([b - a for a, b in pairwise(times)])
    margin = float(np.median(gaps)) / 2 if len(gaps) else 0.5
    top = float(np.percentile(image, 99)) or float(image.max())
    axes.imshow(
        image, origin="lower", aspect="auto", interpolation="nearest", cmap=style.shades(), vmin=0,
        vmax=top, extent=(times[0] - margin, times[-1] + margin, *rows), zorder=1,
    )  # fmt: skip


def _fewer_columns(image: Floats) -> Floats:
    """Average neighboring columns down to the resolution of the plot."""
    step = ceil(image.shape[1] / COLUMNS)
    starts = np.arange(0, image.shape[1], step)
    widths = np.diff(np.append(starts, image.shape[1]))
    means: Floats = np.add.reduceat(image, starts, axis=1) / widths
    return means


def _numbers(tensor: Tensor) -> Floats:
    numbers: Floats = tensor.detach().cpu().double().numpy()
    return numbers
