"""Signalsmith Stretch, in this process, through python-stretch."""

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
    """Signalsmith Stretch by G. Luff: a phase vocoder that tracks the phases between bins."""

    name: str = "signalsmith"
    keeps_formants: bool = False

    def stretch(self, audio: Audio, change: Change) -> Audio:
        """The sound, changed; see `StretchEngine.stretch`.

        The engine knows one ratio at a time: pieces of the map are stretched one by one, with some
        of the sound around them, and faded into each other.
        """
        check(audio, change)
        if change.is_nothing:
            return audio
        time_map, samples = change.time_map, audio.samples.cpu()
        context, half = (round(s * audio.rate_hz) for s in (_CONTEXT_S, _JOIN_S / 2))
        out = samples.new_zeros(audio.channels, time_map.target_samples + 2 * half)
        last = len(time_map.ratios) - 1
        spans = zip(pairwise(time_map.source), pairwise(time_map.target), strict=True)
        for index, ((start, stop), (lands, ends)) in enumerate(spans):
            ratio = (ends - lands) / (stop - start)
            first, final = max(0, start - context), min(samples.shape[1], stop + context)
            piece = _stretched(samples[:, first:final], audio.rate_hz, ratio, change.semitones)
            early = round((start - first) * ratio)
            length = ends - lands + 2 * half
            piece = F.pad(piece, (half, length))[:, early : early + length]
            joins = _joins(length, half, is_first=index == 0, is_last=index == last)
            out[:, lands : ends + 2 * half] += piece * joins
        return exactly(out[:, half:], audio, time_map.target_samples)


def _stretched(samples: Tensor, rate_hz: int, ratio: float, semitones: float) -> Tensor:
    engine = Stretch(_SEED)
    engine.preset(samples.shape[0], float(rate_hz))
    engine.setTimeFactor(1 / ratio)
    engine.setTransposeSemitones(float(semitones))
    return torch.from_numpy(engine.process(np.ascontiguousarray(samples.numpy())))


def _joins(length: int, half: int, *, is_first: bool, is_last: bool) -> Tensor:
    """Fades at the ends that meet other pieces."""
    gain = torch.ones(length)
    rise = (torch.arange(2 * half) + 0.5) / (2 * half)
    if not is_first:
        gain[: 2 * half] = rise
    if not is_last:
        gain[length - 2 * half :] = rise.flip(0)
    return gain
