"""Measurement of the timing that a stem keeps: its attacks against its own song, and the mashup."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from mashup_worker.mixing.measures.report import Measurement
from mashup_worker.mixing.measures.timing import MAX_DRIFT_MS, MIN_ATTACKS, drift_s

if TYPE_CHECKING:
    from mashup_worker.analysis.arrays import Array
    from mashup_worker.mixing.measures.attacks import Attacks
    from mashup_worker.mixing.plan import Clip, Plan

MAX_CHANGE_MS, MAX_P95_CHANGE_MS = 5.0, 15.0

_SAME_ATTACK_S = 0.050
_EDGE_S = 0.010


def measure_kept_timing(
    source: str, attacks: Attacks, own: Attacks, plan: Plan
) -> tuple[Measurement, ...]:
    """Measure how a stem's timing against the grid differs from that in its own song.

    Each attack of the source has a position in the bars of its song. Its counterpart in the mashup
    is the nearest attack within 50 ms of the same position in the mashup's bars, and the difference
    of both lags is the change.

    - Median of the absolute changes: 5 ms at most.
    - 95th percentile of the medians of every two bars, weighted by attacks: 15 ms at most. It
      excludes an attack that is detected elsewhere after stretching, not a misplaced phrase.
    - Drift, the median change at the end less that at the beginning: 10 ms at most.

    Fewer than 8 attacks with a counterpart are not judged.

    Args:
        source: name of the stem in the plan.
        attacks: attacks of the rendered stem.
        own: attacks of the source.
        plan: plan of the mashup.
    """
    names = [f"{source}: change of timing{part}" for part in ("", " p95", " drift")]
    limits_ms = MAX_CHANGE_MS, MAX_P95_CHANGE_MS, MAX_DRIFT_MS
    times_s, changes_s = _changes(source, attacks, own, plan)
    if len(changes_s) < MIN_ATTACKS:
        reason = f"{len(changes_s)} clear attacks of its song, {MIN_ATTACKS} needed"
        return tuple(
            Measurement(one, None, "ms", wanted=f"<= {limit:g} ms", detail=reason)
            for one, limit in zip(names, limits_ms, strict=True)
        )
    values = (
        1e3 * float(np.median(np.abs(changes_s))),
        1e3 * float(np.percentile(np.abs(_by_two_bars(times_s, changes_s, plan)), 95)),
        1e3 * abs(drift_s(times_s, changes_s)),
    )
    detail = f"{len(changes_s)} attacks compared with those of its song"
    return tuple(
        Measurement(
            one, value, "ms", wanted=f"<= {limit:g} ms", passed=value <= limit, detail=detail
        )
        for one, value, limit in zip(names, values, limits_ms, strict=True)
    )


def _by_two_bars(times_s: Array, changes_s: Array, plan: Plan) -> Array:
    """Return the median change in every two bars, once for each attack in them."""
    pairs = np.array([plan.grid.bar_at(float(time_s)) // 2 for time_s in times_s])
    _, inside, counts = np.unique(pairs, return_inverse=True, return_counts=True)
    medians_s = [np.median(changes_s[inside == index]) for index in range(len(counts))]
    return np.repeat(medians_s, counts)


def _changes(source: str, attacks: Attacks, own: Attacks, plan: Plan) -> tuple[Array, Array]:
    """Return the times of the attacks that have a counterpart, and how much later they are."""
    grid = plan.sources[source].grid
    bars = np.array([grid.bar_at(float(time_s)) for time_s in own.times_s])
    times_s, changes_s = [np.zeros(0)], [np.zeros(0)]
    for clip in (one for one in plan.clips if one.source == source):
        start_s, stop_s = (plan.grid.time_at(bar) for bar in (clip.at_bar, clip.end_bar))
        inside = (attacks.times_s >= start_s - _EDGE_S) & (attacks.times_s < stop_s)
        played = attacks.times_s[inside]
        expected = _expected_s(clip, bars, plan)
        if not len(played) or not len(expected):
            continue
        off_s = np.abs(played[:, None] - expected)
        nearest = off_s.argmin(axis=0)
        mutual = off_s.argmin(axis=1)[nearest] == np.arange(len(expected))
        found = mutual & (off_s.min(axis=0) <= _SAME_ATTACK_S)
        times_s.append(played[nearest[found]])
        changes_s.append(played[nearest[found]] - expected[found])
    order = np.argsort(np.concatenate(times_s), kind="stable")
    return np.concatenate(times_s)[order], np.concatenate(changes_s)[order]


def _expected_s(clip: Clip, bars: Array, plan: Plan) -> Array:
    """Return the times in the mashup of the bars of a source that a clip plays.

    The clip is taken to begin on the nearest beat that both songs share, so that one that begins
    beside it changes the timing.
    """
    per_bar = plan.grid.beats_per_bar
    whole = per_bar * Fraction(clip.tempo_factor).limit_denominator(4).denominator
    ahead = round((clip.from_bar - clip.at_bar * clip.tempo_factor) * whole) / whole
    played = bars[(bars >= clip.from_bar) & (bars < clip.source_end_bar)]
    return np.array([plan.grid.time_at((bar - ahead) / clip.tempo_factor) for bar in played])
