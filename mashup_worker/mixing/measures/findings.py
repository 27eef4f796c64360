"""Faults of a mashup as figures, from which a plan is corrected."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mashup_worker.mixing.measures.timing import StemTiming


@dataclass(frozen=True)
class HeardBeats:
    """Beats that an analysis heard between two times, in beats after the planned ones."""

    start_s: float
    stop_s: float
    offset_beats: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Findings:
    """Faults that a plan can correct; empty or None where a measurement is within its limit.

    Attributes:
        drums: timing of the drums that lag or drift, or play where `beats` were heard elsewhere.
        beats: beats that were heard beside the planned ones.
        steps_lu: steps of loudness by the time of their splice.
        clicks: stems, each with the time of an edge that clicks.
        lift_lu: loudness of vocals above the accompaniment.
        reached_lufs: integrated loudness, where limiting holds it below its target.
        correlation: lowest correlation of left and right.
        mono_loss_lu: loudness that is lost in mono.
        key_fits: agreement of vocals and accompaniment at 0 to 11 semitones up.
    """

    drums: tuple[StemTiming, ...] = ()
    beats: tuple[HeardBeats, ...] = ()
    steps_lu: Mapping[float, float] = field(default_factory=dict)
    clicks: tuple[tuple[str, float], ...] = ()
    lift_lu: float | None = None
    reached_lufs: float | None = None
    correlation: float | None = None
    mono_loss_lu: float | None = None
    key_fits: tuple[float, ...] = ()
