"""Common style of all panels."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

INK = "#1d2433"
QUIET = "#6b7486"
FAINT = "#d9dde5"
BLUE = "#31598c"
PALE_BLUE = "#9fb6d3"
ACCENT = "#c8501e"

TITLE_PT = 19
HEADING_PT = 13
LABEL_PT = 10.5


def shades() -> LinearSegmentedColormap:
    """Return the color map from paper to deep blue."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("shades", ["#f7f8fa", PALE_BLUE, BLUE, "#122640"])


def prepare(axes: Axes, heading: str, unit: str = "", pad_pt: float = 7) -> None:
    """Draw the frame, heading and unit of a panel."""
    axes.set_title(
        heading, loc="left", fontsize=HEADING_PT, color=INK, pad=pad_pt, fontweight="bold"
    )
    axes.set_ylabel(unit, fontsize=LABEL_PT, color=QUIET)
    axes.tick_params(labelsize=LABEL_PT, colors=QUIET, length=3, labelcolor=QUIET)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(FAINT)


def heading_note(axes: Axes, text: str, pad_pt: float = 7) -> None:
    """Draw a text at the right of a panel's heading."""
    axes.set_title(text, loc="right", fontsize=LABEL_PT, color=QUIET, pad=pad_pt)


def placeholder(axes: Axes, text: str) -> None:
    """Draw the reason for an empty panel in its middle."""
    axes.text(
        0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=HEADING_PT,
        color=QUIET, bbox={"facecolor": "white", "edgecolor": "none", "pad": 6},
    )  # fmt: skip


def label_right(axes: Axes, y: float, text: str, *, color: str, **more: Any) -> None:
    """Label a level at the right edge of a panel."""
    axes.annotate(
        text, (1, y), xycoords=("axes fraction", "data"), xytext=(6, 0),
        textcoords="offset points", va="center", fontsize=LABEL_PT, color=color,
        annotation_clip=False, **more,
    )  # fmt: skip


def number_bar(axes: Axes, time_s: float, number: int) -> None:
    """Write the number of a bar above a panel."""
    axes.annotate(
        str(number), (time_s, 1), xycoords=("data", "axes fraction"), xytext=(0, 2),
        textcoords="offset points", ha="center", va="bottom", fontsize=LABEL_PT - 1, color=ACCENT,
    )  # fmt: skip


def figure_png(figure: Figure, dpi: float) -> bytes:
    """Return a figure as a PNG file."""
    content = io.BytesIO()
    with warnings.catch_warnings():
        # Titles may use any script; characters that the font lacks are drawn as boxes.
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure.savefig(content, format="png", dpi=dpi)
    return content.getvalue()


def without_overlap(levels: Sequence[float], least: float) -> list[bool]:
    """Return the levels, in order of importance, that can be labeled without overlap."""
    kept: list[float] = []
    chosen = []
    for level in levels:
        chosen.append(all(abs(level - other) >= least for other in kept))
        if chosen[-1]:
            kept.append(level)
    return chosen
