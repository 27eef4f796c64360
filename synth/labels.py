"""Labels of chords, and runs of equal labels."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from synth.song import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_ROOTS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
_QUALITIES = {
    (0, 4, 7): "maj",
    (0, 3, 7): "min",
    (0, 3, 6): "dim",
    (0, 4, 8): "aug",
    (0, 5, 7): "sus4",
    (0, 7): "5",
    (0, 4, 7, 9): "maj6",
    (0, 3, 7, 9): "min6",
    (0, 4, 7, 10): "7",
    (0, 3, 7, 10): "min7",
    (0, 4, 7, 11): "maj7",
    (0, 3, 6, 9): "dim7",
    (0, 3, 6, 10): "hdim7",
    (0, 4, 7, 10, 14): "9",
    (0, 3, 7, 10, 14): "min9",
    (0, 4, 7, 11, 14): "maj9",
    (0, 4, 7, 14): "maj(9)",
    (0, 3, 7, 14): "min(9)",
    (0, 4, 7, 10, 13): "7(b9)",
    (0, 5, 7, 10): "sus4(b7)",
}

_PAUSE_S = 0.5


def chord_label(root: int, intervals: Sequence[int]) -> str:
    """Return a chord in the syntax of C. Harte, such as `"Eb:maj7"`.

    Args:
        root: pitch class; C is 0.
        intervals: semitones of its tones above the root, rising from 0.
    """
    return f"{_ROOTS[root % 12]}:{_QUALITIES[tuple(intervals)]}"


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Join neighbors with the same label."""
    runs = (list(run) for _, run in groupby(spans, key=lambda span: span.label))
    return tuple(Span(run[0].start_s, run[-1].stop_s, run[0].label) for run in runs)


def phrases(notes_s: Iterable[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Join notes, given by start and stop, with pauses of less than half a second."""
    out: list[tuple[float, float]] = []
    for start_s, stop_s in sorted(notes_s):
        if out and start_s - out[-1][1] < _PAUSE_S:
            out[-1] = out[-1][0], max(stop_s, out[-1][1])
        else:
            out.append((start_s, stop_s))
    return tuple(out)
