"""Signalsmith Stretch, in the process, through python-stretch."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from python_stretch.Signalsmith import Stretch

from mashup_worker.dsp.stretch.engine import check, exactly

if TYPE_CHECKING:
    from torch import Tensor

    from mashup_worker.audio.signal import Audio
    from mashup_worker.dsp.stretch.engine import Change

_CONTEXT_S = 0.12
"""A block of the engine, taken around each piece of a map for the sake of its ends."""

_JOIN_S = 0.02
_SEED = 1


@dataclass(frozen=True)
class Signalsmith:
    """Signalsmith Stretch by G. Luff: a phase vocoder that tracks the phases between bins.

    python-stretch compensates its delay, and has no formant control.
    """

    name: str = "signalsmith"

    def stretch(self, audio: Audio, change: Change) -> Audio:
        """Return the changed sound; see `StretchEngine.stretch`.

        The engine supports one ratio at a time: pieces of the map are stretched separately, with
        some of the sound around them, and cross-faded.
        """
        check(audio, change)
        if change.is_nothing:
            return audio
        time_map, samples = change.time_map, audio.samples.cpu()
        context, half = (round(s * audio.sample_rate) for s in (_CONTEXT_S, _JOIN_S / 2))
        out = samples.new_zeros(audio.channels, time_map.target_samples + 2 * half)
        spans = zip(pairwise(time_map.source), pairwise(time_map.target), strict=True)
        for (start, stop), (lands, ends) in spans:
            ratio = (ends - lands) / (stop - start)
            first, final = max(0, start - context), min(samples.shape[1], stop + context)
            piece = _stretched(samples[:, first:final], audio.sample_rate, ratio, change.semitones)
            early, length = round((start - first) * ratio), ends - lands + 2 * half
            piece = F.pad(piece, (half, length))[:, early : early + length]
            at = torch.arange(lands - half, ends + half)
            # Differences of one ramp add up to 1, however short the pieces are.
            rise = _ramp(at - lands, half) if lands else 1.0
            fall = _ramp(at - ends, half) if ends < time_map.target_samples else 0.0
            out[:, lands : ends + 2 * half] += piece * (rise - fall)
        return exactly(out[:, half:], audio, time_map.target_samples)


def _stretched(samples: Tensor, sample_rate: int, ratio: float, semitones: float) -> Tensor:
    engine = Stretch(_SEED)
    engine.preset(samples.shape[0], float(sample_rate))
    engine.setTimeFactor(1 / ratio)
    engine.setTransposeSemitones(float(semitones))
    return torch.from_numpy(engine.process(np.ascontiguousarray(samples.numpy())))


def _ramp(at: Tensor, half: int) -> Tensor:
    return ((at + 0.5 + half) / max(1, 2 * half)).clamp(0, 1)
