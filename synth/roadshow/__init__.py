"""Songs with exact truth that were held out while the analysis was written.

Written without knowledge of the analysis and of the other generators: sounds, players and mixing
are its own. Styles take turns from seed to seed, so that any run of seeds is balanced. The tables
in `styles/` say how musicians of each style count.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from mashup_worker.audio.signal import Audio
from synth.roadshow.desk import mix
from synth.roadshow.drumming import play_drums
from synth.roadshow.melody import sing
from synth.roadshow.plan import draw_plan
from synth.roadshow.playing import play_lines
from synth.roadshow.tones import RATE_HZ, Wave
from synth.roadshow.truth import truth_of
from synth.song import Song

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["generate"]

_EARLY_S = 0.03


def generate(seed: int) -> Song:
    """Song number `seed`: stereo at 44.1 kHz, 30 to 75 s long; the same seed, the same song."""
    plan = draw_plan(seed)
    rng = np.random.default_rng([seed, 20262])
    hits = play_drums(plan, rng)
    notes = play_lines(plan, rng) + sing(plan, rng)
    if plan.opening == "late":
        opens_s = plan.time_s(plan.bars[0], 1 + seed % 2) - _EARLY_S
        hits = [hit for hit in hits if hit.time_s > opens_s]
        notes = [note for note in notes if note.start_s > opens_s]
    onsets_s = [hit.time_s for hit in hits] + [note.start_s for note in notes]
    lead_s = float(rng.choice((_EARLY_S, rng.uniform(0.05, 0.8)))) + _EARLY_S - min(onsets_s)
    hits = [replace(hit, time_s=hit.time_s + lead_s) for hit in hits]
    notes = [replace(note, start_s=note.start_s + lead_s) for note in notes]
    plan = replace(plan, marks_s=plan.marks_s + lead_s)
    truth = truth_of(plan, [onset + lead_s for onset in onsets_s])
    stems = mix(plan, notes, hits, rng)
    return Song(
        name=f"roadshow-{seed}",
        mix=_audio(stems.values()),
        stems={name: _audio([wave]) for name, wave in sorted(stems.items())},
        truth=truth,
    )


def _audio(waves: Iterable[Wave]) -> Audio:
    total = np.sum(list(waves), axis=0, dtype=np.float32)
    return Audio(torch.from_numpy(np.ascontiguousarray(total)), RATE_HZ)
