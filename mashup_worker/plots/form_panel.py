"""Panel of the form of a song: sections, cue points, energy, singing, loops and chords."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from mashup_worker.plots import style

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from matplotlib.axes import Axes

    from mashup_worker.analysis.form.result import Loop
    from mashup_worker.analysis.result import Analysis

FILLS = ("#dbe4f0", "#f3dfd6", "#dfeadb", "#ece0ef", "#f3edd2", "#d8ebec", "#e9e2da", "#dedede")
"""Fill colors of sections by letter, and of chords by name, in turn."""

_LETTER_SHARE = 0.0075
"""Width of a letter as a share of the panel."""

_CUES_AT, _LOUDEST_AT = 0.74, 0.62
SINGING, LOOPS, CHORDS = (-0.2, 0.14), (-0.4, 0.14), (-0.68, 0.22)
"""Lower edge and height of the rows below the sections."""

Label = tuple[float, float, str]
"""Start and end in seconds, and a text."""


def draw_form(axes: Axes, analysis: Analysis) -> None:
    """Draw sections with letters and roles, cue points, the energy of the bars, and what sounds."""
    style.prepare(axes, "Sections, cue points and energy; singing, loops and chords")
    axes.set_ylim(-0.7, 1.02)
    rows = {"singing": SINGING, "loops": LOOPS, "chords": CHORDS}
    axes.set_yticks([low + height / 2 for low, height in rows.values()], list(rows))
    if not analysis.sections:
        style.placeholder(axes, "too short or too quiet, or without steady bars")
    sections: list[Label] = [
        (one.start_s, one.stop_s, f"{one.label} {one.role or ''}") for one in analysis.sections
    ]
    letters = [one.label for one in analysis.sections]
    _draw_row(axes, sections, (0.0, 1.02), letters, texts_at=0.88, left=True)
    _draw_cues(axes, analysis)
    _draw_energy(axes, analysis)
    spans = [(one.start_s, one.stop_s - one.start_s) for one in analysis.singing]
    axes.broken_barh(spans, SINGING, color=style.ACCENT, zorder=4, label="singing")
    loops: list[Label] = [
        (one.start_s, one.stop_s, f"{one.bars} bars") for one in _apart(analysis.loops)
    ]
    _draw_row(axes, loops, LOOPS, [""] * len(loops))
    chords = list(_chords(analysis))
    _draw_row(axes, chords, CHORDS, [name for *_, name in chords])
    style.heading_note(axes, "" if analysis.singing_known else "singing unknown without stems")


def _draw_row(
    axes: Axes,
    spans: Sequence[Label],
    row: tuple[float, float],
    names: Sequence[str],
    *,
    texts_at: float | None = None,
    left: bool = False,
) -> None:
    """Draw spans in one color for each name, with their texts, or first words, where they fit."""
    low, high = axes.get_xlim()
    fills = {name: FILLS[index % len(FILLS)] for index, name in enumerate(dict.fromkeys(names))}
    middle = row[0] + row[1] / 2 if texts_at is None else texts_at
    for (start_s, stop_s, text), name in zip(spans, names, strict=True):
        axes.broken_barh(
            [(start_s, stop_s - start_s)], row, facecolor=fills[name], edgecolor="white",
            linewidth=1.0, zorder=1,
        )  # fmt: skip
        letters = (stop_s - start_s) / (high - low) / _LETTER_SHARE
        shown = next((one for one in (text, text.split()[0]) if len(one) < letters), "")
        axes.annotate(
            shown.strip(), (start_s if left else (start_s + stop_s) / 2, middle),
            xytext=(5 if left else 0, 0), textcoords="offset points", va="center",
            ha="left" if left else "center", fontsize=style.LABEL_PT - (0 if left else 1.5),
            color=style.INK, zorder=5,
        )  # fmt: skip


def _draw_cues(axes: Axes, analysis: Analysis) -> None:
    """Draw a mark at each cue point, with the names of those that share it where they fit."""
    low, high = axes.get_xlim()
    cues = [
        (time_s, ", ".join(one.kind for one in same))
        for time_s, same in groupby(analysis.cue_points, key=lambda cue: cue.time_s)
    ]
    times_s = [time_s for time_s, _ in cues]
    axes.plot(
        times_s, [_CUES_AT] * len(cues), "v", color=style.ACCENT, markersize=5, zorder=5,
        label="cue points",
    )  # fmt: skip
    for index, (time_s, names) in enumerate(cues):
        room_s = (times_s[index + 1] if index + 1 < len(cues) else high) - time_s
        if len(names) + 2 < room_s / (high - low) / _LETTER_SHARE:
            axes.annotate(
                names, (time_s, _CUES_AT), xytext=(6, 0), textcoords="offset points", va="center",
                fontsize=style.LABEL_PT - 1.5, color=style.ACCENT, zorder=5,
            )  # fmt: skip


def _draw_energy(axes: Axes, analysis: Analysis) -> None:
    if not analysis.bars:
        return
    starts = [bar.start_s for bar in analysis.bars]
    ends = [*starts[1:], analysis.sections[-1].stop_s if analysis.sections else starts[-1]]
    levels = [_LOUDEST_AT * bar.energy for bar in analysis.bars]
    steps = [(edge, level) for level, *edges in zip(levels, starts, ends, strict=True)
             for edge in edges]  # fmt: skip
    axes.plot(*zip(*steps, strict=True), color=style.BLUE, linewidth=1.4, zorder=3, label="energy")


def _apart(loops: Iterable[Loop]) -> list[Loop]:
    """Return the best loops that do not overlap."""
    kept: list[Loop] = []
    for loop in loops:
        if all(loop.stop_s <= one.start_s or one.stop_s <= loop.start_s for one in kept):
            kept.append(loop)
    return kept


def _chords(analysis: Analysis) -> Iterator[Label]:
    """Yield the chords as musicians write them, such as `F♯m` for `F#:min`."""
    for one in analysis.chords:
        if one.label != "N":
            root, _, quality = one.label.partition(":")
            written = quality.replace("min", "m").replace("maj", "" if quality == "maj" else "maj")
            yield one.start_s, one.stop_s, (root + written).replace("b", "♭").replace("#", "♯")
