"""Letters of sections: which sections repeat each other.

A repetition is a path along a diagonal of the recurrence matrix of the bars, which librosa
computes and whose paths it enhances.
"""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

import numpy as np

from mashup_worker.analysis.form.boundaries import cosine_distance
from mashup_worker.analysis.form.weights import log_odds, share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.analysis.arrays import Array
    from mashup_worker.analysis.form.bars import BarFeatures

EVIDENCE = ("levels", "strokes", "pitches in order", "pitches", "path", "loudness", "length")
_PATH_BARS = 4
_FEWEST_NEIGHBORS = 4


def letters_of(features: BarFeatures, sections: Sequence[slice]) -> tuple[str, ...]:
    """Return a letter for each section, from A in order of appearance; repetitions share one."""
    if len(sections) < 2:
        return ("A",) * len(sections)
    from scipy.cluster.hierarchy import fcluster, linkage

    pairs = [(i, j) for i in range(len(sections)) for j in range(i + 1, len(sections))]
    paths = repetitions(features)
    rows = [pair_evidence(features, paths, sections[i], sections[j]) for i, j in pairs]
    different = 1 - share(log_odds("repetition", np.stack(rows)))
    groups = fcluster(linkage(different, "average"), 0.5, "distance")
    order = {group: place for place, group in enumerate(dict.fromkeys(groups.tolist()))}
    return tuple(_letter(order[group]) for group in groups.tolist())


def joined(
    sections: Sequence[slice], letters: Sequence[str]
) -> tuple[list[slice], tuple[str, ...]]:
    """Join neighboring sections with the same letter, as nothing divides them that is heard."""
    parts: list[slice] = []
    kept: list[str] = []
    for section, letter in zip(sections, letters, strict=True):
        if kept and kept[-1] == letter:
            parts[-1] = slice(parts[-1].start, section.stop)
        else:
            parts.append(section)
            kept.append(letter)
    return parts, tuple(kept)


def repetitions(features: BarFeatures) -> Array:
    """Return how far each bar repeats each other as part of a path, `(bars, bars)`, 0 to 1.

    At least five bars are needed.
    """
    import librosa

    bars, rows = features.bars, features.pitches
    norms = np.sqrt(np.square(rows).sum(axis=0))
    recurrence = librosa.segment.recurrence_matrix(
        rows / np.maximum(norms, 1e-9),
        k=min(bars - 1, max(_FEWEST_NEIGHBORS, bars // 3)),
        width=1,
        mode="affinity",
        sym=True,
        self=True,
    )
    return np.asarray(
        librosa.segment.path_enhance(
            recurrence, min(bars, _PATH_BARS), min_ratio=0.9, max_ratio=1.1, n_filters=3
        )
    )


def pair_evidence(features: BarFeatures, paths: Array, one: slice, other: slice) -> Array:
    """Return the evidence that two sections repeat each other, shape `(len(EVIDENCE),)`."""
    lengths = one.stop - one.start, other.stop - other.start
    first, second = (part.start + np.arange(min(lengths)) for part in (one, other))
    pitches = features.pitch_classes
    levels = [_middle(features.levels_db, part) for part in (one, other)]
    strokes = [_middle(features.strokes, part) for part in (one, other)]
    in_order = cosine_distance(features.pitches[:, first], features.pitches[:, second]).mean()
    means = [pitches[:, part].mean(axis=1)[:, None] for part in (one, other)]
    return np.array(
        [
            np.log(np.sqrt(np.square(levels[0] - levels[1]).mean()) + 0.3),
            np.log(cosine_distance(*strokes)[0] + 0.02),
            np.log(in_order + 0.02),
            np.log(cosine_distance(*means)[0] + 0.01),
            paths[first, second].mean(),
            np.log(abs((levels[0] - levels[1]).mean()) + 0.3),
            abs(np.log2(lengths[0] / lengths[1])),
        ]
    )


def _middle(rows: Array, section: slice) -> Array:
    return np.asarray(np.median(rows[:, section], axis=1)[:, None])


def _letter(place: int) -> str:
    """Return A to Z, then A2 and so on."""
    turn, index = divmod(place, 26)
    return string.ascii_uppercase[index] + (str(turn + 1) if turn else "")
