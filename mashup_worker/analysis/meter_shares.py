"""Likelihoods of the meters that a song may have, and the confidences that follow from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mashup_worker.analysis.result import TempoCandidate
from mashup_worker.analysis.weights import meter_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.analysis.arrays import Array
    from mashup_worker.analysis.meter import Meter, ScoredMeters
    from mashup_worker.analysis.result import AnalysisOptions

_HINT_OCTAVES = 0.12
_CANDIDATES = 5
_SAME_PHASE = 0.1


def meter_shares(scored: ScoredMeters, options: AnalysisOptions) -> Array:
    """Return the likelihoods of the meters, which add up to 1."""
    scores = meter_scores(scored.evidence)
    if options.tempo_hint_bpm is not None:
        tempi = np.array([meter.beats.tempo_bpm for meter in scored.meters])
        octaves = np.log2(tempi / options.tempo_hint_bpm)
        scores = scores - 0.5 * np.square(octaves / _HINT_OCTAVES)
    share = np.exp(scores - scores.max())
    return np.asarray(share / share.sum())


def shares_among(share: Array, kept: Array) -> Array:
    """Return the likelihoods among some meters only, unless there are none."""
    inside = np.where(kept, share, 0.0)
    return inside / inside.sum() if inside.any() else share


def shares_below(meters: Sequence[Meter], share: Array) -> tuple[float, float]:
    """Return the share of the best phase among those of its tempo, and of the bars in it."""
    best = meters[int(share.argmax())]
    level, length = best.beats.level, best.beats_per_bar
    tempo = np.array([one.beats.level == level for one in meters])
    away = np.array([(one.beats.offset - best.beats.offset) / level for one in meters])
    phase = tempo & (np.abs(away - np.round(away)) < _SAME_PHASE)
    first = np.array(
        [(one.first + round(k) - best.first) % length for one, k in zip(meters, away, strict=True)]
    )
    bars = phase & (first == 0) & np.array([one.beats_per_bar == length for one in meters])
    return (
        float(share[phase].sum() / share[tempo].sum()),
        float(share[bars].sum() / share[phase].sum()),
    )


def tempo_candidates(scored: ScoredMeters, share: Array) -> tuple[TempoCandidate, ...]:
    """Return the likely tempi with the sums of their shares, best first."""
    total: dict[float, float] = {}
    for meter, part in zip(scored.meters, share, strict=True):
        tempo_bpm = meter.beats.tempo_bpm
        total[tempo_bpm] = total.get(tempo_bpm, 0.0) + float(part)
    # The tempo of the best meter leads, even if another tempo has a larger sum.
    leading = scored.meters[int(share.argmax())].beats.tempo_bpm
    order = sorted(total, key=lambda tempo_bpm: (tempo_bpm != leading, -total[tempo_bpm]))
    return tuple(TempoCandidate(tempo_bpm, total[tempo_bpm]) for tempo_bpm in order[:_CANDIDATES])
