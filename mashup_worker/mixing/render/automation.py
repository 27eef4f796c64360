"""Gains and filters that move while a clip plays."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from mashup_worker.dsp.filters import filtered, high_pass, low_pass, low_shelf

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from mashup_worker.dsp.filters import Response
    from mashup_worker.mixing.plan import Automation, Plan

_OPEN_HZ = 20_000.0
BASS_HZ = 180.0
"""What `bass_db` moves lies below."""


def automated(
    samples: Tensor, automation: Sequence[Automation], plan: Plan, first_sample: int
) -> Tensor:
    """A piece of the mashup with all that moves in it.

    Args:
        samples: shape `(channels, samples)`.
        automation: what moves; of one parameter there may be several curves, which add up.
        plan: whose bars count.
        first_sample: where in the mashup the piece begins.
    """
    curves = [one for one in automation if one.parameter != "gain_db"]
    responses = [_response(one, plan, first_sample) for one in curves]
    out = filtered(samples, plan.rate_hz, responses)
    for one in automation:
        if one.parameter == "gain_db":
            at = torch.arange(out.shape[1], device=out.device)
            out = out * 10 ** (curve(one, plan, at + first_sample).to(out.dtype) / 20)
    return out


def curve(automation: Automation, plan: Plan, at: Tensor) -> Tensor:
    """The value of a parameter at samples of the mashup; frequencies move by octaves.

    Shape: `(n,)` to float64 `(n,)`.
    """
    bars = torch.tensor([bar for bar, _ in automation.points], dtype=torch.float64)
    values = torch.tensor([value for _, value in automation.points], dtype=torch.float64)
    is_frequency = automation.parameter.endswith("_hz")
    values = values.log2() if is_frequency else values
    bars, values = bars.to(at.device), values.to(at.device)
    now = at.double() / (plan.grid.bar_s * plan.rate_hz)
    after = torch.searchsorted(bars, now, right=True).clamp(1, max(1, len(bars) - 1))
    if len(bars) == 1:
        found = values.expand(len(at))
    else:
        start, stop = bars[after - 1], bars[after]
        share = ((now - start) / (stop - start).clamp_min(1e-9)).clamp(0, 1)
        found = torch.lerp(values[after - 1], values[after], share)
    return found.exp2() if is_frequency else found


def _response(automation: Automation, plan: Plan, first_sample: int) -> Response:
    gains_of = _GAINS[automation.parameter]

    def response(at: Tensor, hz: Tensor) -> Tensor:
        value = curve(automation, plan, at + first_sample)[:, None]
        return gains_of(hz.double(), value)

    return response


def _bass(hz: Tensor, gain_db: Tensor) -> Tensor:
    return low_shelf(hz, BASS_HZ, gain_db)


def _opening(hz: Tensor, cutoff_hz: Tensor) -> Tensor:
    """A low-pass filter that lets everything through once it is open, and nears that smoothly."""
    openness = (cutoff_hz.log2() - math.log2(_OPEN_HZ / 2)).clamp(0, 1)
    return torch.lerp(low_pass(hz, cutoff_hz), torch.ones_like(hz), openness)


_GAINS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "bass_db": _bass,
    "high_pass_hz": high_pass,
    "low_pass_hz": _opening,
}
