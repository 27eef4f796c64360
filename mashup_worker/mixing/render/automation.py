"""Automation of gains and filters during clips."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from mashup_worker.dsp.filters import filtered, high_pass, low_pass, low_shelf
from mashup_worker.dsp.pieces import pieces
from mashup_worker.mixing.plan import LOW_PASS_OPEN_HZ

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from mashup_worker.dsp.filters import Response
    from mashup_worker.mixing.plan import Automation, Plan

BASS_HZ = 180.0
"""Corner frequency of the shelf that `bass_db` controls."""


def apply_automation(
    samples: Tensor, automation: Sequence[Automation], plan: Plan, *, first_sample: int
) -> Tensor:
    """Return a section of the mashup, `(channels, samples)`, with automated gains and filters.

    Several curves of one parameter are all applied.
    """
    filters = [one for one in automation if one.parameter != "gain_db"]
    responses = [_response(one, plan, first_sample) for one in filters]
    out = filtered(samples, plan.sample_rate, responses)
    for one in automation:
        if one.parameter == "gain_db":
            at = torch.arange(first_sample, first_sample + out.shape[1], device=out.device)
            curves = [automation_curve(one, plan, part).to(out.dtype) for part in pieces(at)]
            out = out * 10 ** torch.cat(curves).div_(20)
    return out


def automation_curve(automation: Automation, plan: Plan, at: Tensor) -> Tensor:
    """Return a parameter at samples of the mashup, float64 `(n,)`; frequencies by octaves."""
    times_s = [plan.grid.time_at(bar) for bar, _ in automation.points]
    points_s = torch.tensor(times_s, dtype=torch.float64)
    values = torch.tensor([value for _, value in automation.points], dtype=torch.float64)
    is_frequency = automation.parameter.endswith("_hz")
    values = values.log2() if is_frequency else values
    points_s, values = points_s.to(at.device), values.to(at.device)
    at_s = at.double() / plan.sample_rate
    after = torch.searchsorted(points_s, at_s, right=True).clamp(1, max(1, len(points_s) - 1))
    if len(points_s) == 1:
        found = values.expand(len(at))
    else:
        start, stop = points_s[after - 1], points_s[after]
        share = ((at_s - start) / (stop - start).clamp_min(1e-9)).clamp(0, 1)
        found = torch.lerp(values[after - 1], values[after], share)
    return found.exp2() if is_frequency else found


def _response(automation: Automation, plan: Plan, first_sample: int) -> Response:
    gains = _FILTER_GAINS[automation.parameter]

    def response(at: Tensor, hz: Tensor) -> Tensor:
        value = automation_curve(automation, plan, at + first_sample)[:, None]
        return gains(hz.double(), value)

    return response


def _bass_shelf(hz: Tensor, gain_db: Tensor) -> Tensor:
    return low_shelf(hz, BASS_HZ, gain_db)


def _opening_low_pass(hz: Tensor, cutoff_hz: Tensor) -> Tensor:
    """Return the gains of a low-pass filter that approaches gain 1 smoothly in its last octave."""
    openness = (cutoff_hz.log2() - math.log2(LOW_PASS_OPEN_HZ / 2)).clamp(0, 1)
    return torch.lerp(low_pass(hz, cutoff_hz), torch.ones_like(hz), openness)


_FILTER_GAINS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "bass_db": _bass_shelf,
    "high_pass_hz": high_pass,
    "low_pass_hz": _opening_low_pass,
}
