"""Profiles of networks for tests."""

from __future__ import annotations

from typing import Any

from mashup_worker.models.network import NetworkProfile
from mashup_worker.models.segments import Cut


def profile(*stems: str, segment_samples: int = 44_100, **options: Any) -> NetworkProfile:
    """Return the profile of a stereo network that makes these stems."""
    defaults: dict[str, Any] = {"sample_rate": 44_100, "channels": 2}
    cut = Cut.msst(segment_samples, 2)
    given = defaults | {"cut": cut, "segment_samples": segment_samples} | options
    return NetworkProfile(stems=stems, **given)
