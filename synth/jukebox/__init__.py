"""Songs as bands, producers and ensembles of many kinds play them, with their truth.

Written independently of the analysis that it measures: nothing here follows from how beats or keys
are found. A song is drawn as a plan, written out as a score, and then sounded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from mashup_worker.audio.signal import Audio
from synth.core import RATE_HZ
from synth.jukebox.drawing import draw_plan
from synth.jukebox.mixing import render
from synth.jukebox.score import truth_of, write_score
from synth.song import Song

if TYPE_CHECKING:
    from synth.jukebox.tones import Wave

__all__ = ["generate"]


def generate(seed: int) -> Song:
    """Song number `seed`: stereo, at 44.1 kHz, 40 to 70 s long; the same seed, the same song."""
    plan = draw_plan(seed)
    score = write_score(plan)
    stems = render(plan, score)
    mix = np.sum(np.stack(list(stems.values())), axis=0)
    return Song(
        name=f"jukebox-{seed}",
        mix=_audio(mix),
        stems={name: _audio(wave) for name, wave in sorted(stems.items())},
        truth=truth_of(plan, score),
    )


def _audio(wave: Wave) -> Audio:
    return Audio(torch.from_numpy(np.ascontiguousarray(wave, dtype=np.float32)), RATE_HZ)
