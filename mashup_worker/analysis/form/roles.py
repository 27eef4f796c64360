"""Roles of sections, from their place, energy, repetition and players."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mashup_worker.analysis.form.singing import singing_share
from mashup_worker.analysis.form.weights import log_odds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.analysis.arrays import Array
    from mashup_worker.analysis.form.bars import BarFeatures
    from mashup_worker.analysis.form.result import Role, SingingInterval

FITTED: tuple[Role, ...] = ("intro", "verse", "chorus", "break")
"""Roles whose likelihoods are fitted; outros and drops follow from rules."""

EVIDENCE = (
    *("place", "first", "last", "level", "rise", "fall", "low", "high", "strokes"),
    *("repetition", "length"),
)

_LOW, _HIGH = slice(0, 5), slice(-6, None)
_OUTRO_FALL_DB, _DROP_RISE_DB = 3.0, 3.0
_OUTRO_SHARE = 0.6
_HARDLY_SUNG = 0.15


def roles_of(
    features: BarFeatures,
    sections: Sequence[slice],
    letters: Sequence[str],
    singing: Sequence[SingingInterval] | None,
) -> list[tuple[Role, float]]:
    """Return the role of each section and its share among all.

    A last section that is quieter than most of the song is an outro. A chorus without
    singing, after something quieter, is a drop; only a stem of the vocals can show that.

    Args:
        features: features of the bars.
        sections: bars of each section.
        letters: letter of each section.
        singing: times with singing; None where they are unknown.
    """
    evidence = role_evidence(features, sections, letters)
    odds = log_odds("role", evidence)
    shares = np.exp(odds - odds.max(axis=1, keepdims=True))
    shares = shares / shares.sum(axis=1, keepdims=True)
    level, rise = (evidence[:, EVIDENCE.index(name)] for name in ("level", "rise"))
    out: list[tuple[Role, float]] = []
    for index, section in enumerate(sections):
        best = int(shares[index].argmax())
        role, sure = FITTED[best], float(shares[index, best])
        if index == len(sections) - 1 and index > 1 and level[index] < -_OUTRO_FALL_DB:
            role, sure = "outro", _OUTRO_SHARE
        if role == "chorus" and singing is not None and rise[index] > _DROP_RISE_DB:
            start_s, stop_s = features.edges_s[[section.start, section.stop]]
            if singing_share(singing, start_s, stop_s) < _HARDLY_SUNG:
                role = "drop"
        out.append((role, sure))
    return out


def role_evidence(
    features: BarFeatures, sections: Sequence[slice], letters: Sequence[str]
) -> Array:
    """Return the evidence for the roles of sections, shape `(sections, len(EVIDENCE))`."""
    levels = np.array([features.total_db[part].mean() for part in sections])
    lengths = np.array([part.stop - part.start for part in sections])
    middle = float(np.median(np.repeat(levels, lengths)))
    total = max(1, features.bars)
    registers = features.levels_db.reshape(-1, 24, features.bars).max(axis=0)
    song = registers.mean(axis=1)
    strokes = features.strokes.mean(axis=0)
    rows = []
    for index, part in enumerate(sections):
        before = levels[index - 1] if index else levels[index]
        after = levels[index + 1] if index + 1 < len(sections) else levels[index]
        own = registers[:, part].mean(axis=1) - song
        rows.append(
            [
                (part.start + part.stop) / 2 / total,
                float(index == 0),
                float(index == len(sections) - 1),
                levels[index] - middle,
                levels[index] - before,
                levels[index] - after,
                own[_LOW].mean(),
                own[_HIGH].mean(),
                np.log((strokes[part].mean() + 0.1) / (strokes.mean() + 0.1)),
                letters.count(letters[index]) / len(letters),
                np.log2(lengths[index]),
            ]
        )
    return np.array(rows)
