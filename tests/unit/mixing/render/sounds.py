"""Plans and audio for tests of rendering."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from mashup_worker.audio.signal import Audio
from tests.unit.mashups import seeded

if TYPE_CHECKING:
    from mashup_worker.mixing.plan import Plan

RATE_HZ = 44_100
BAR = 2 * RATE_HZ
EDGE = round(0.005 * RATE_HZ)


def clicks(bars: int = 8, tempo_bpm: float = 120.0) -> Audio:
    """Return a click on every beat, with twice the level on downbeats."""
    beat = 60 * RATE_HZ / tempo_bpm
    samples = torch.zeros(2, round(bars * 4 * beat))
    for index in range(bars * 4):
        samples[:, round(index * beat)] = 0.8 if index % 4 == 0 else 0.4
    return Audio(samples, RATE_HZ)


def noise(bars: int = 8, level: float = 0.1) -> Audio:
    """Return stereo noise."""
    return Audio(level * torch.randn(2, bars * BAR, generator=seeded(1)), RATE_HZ)


def tone(hz: float, bars: int = 8, level: float = 0.2) -> Audio:
    """Return a stereo sine."""
    at = torch.arange(bars * BAR) / RATE_HZ
    return Audio((level * torch.sin(2 * math.pi * hz * at)).expand(2, -1).contiguous(), RATE_HZ)


def with_clip(plan: Plan, index: int, **changes: Any) -> Plan:
    """Return a plan with one clip changed."""
    clips = list(plan.clips)
    clips[index] = clips[index].model_copy(update=changes)
    return plan.model_copy(update={"clips": tuple(clips)})
