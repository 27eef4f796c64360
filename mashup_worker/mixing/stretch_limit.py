"""Limits of time-stretching."""

from __future__ import annotations

USUAL_STRETCH = 0.08
"""Largest change of speed, either way, that a plan makes unless a tempo is requested."""

MAX_STRETCH = 0.20
"""Largest change of speed, either way, at which a stem stays recognizable."""


def is_within_stretch_limit(ratio: float, limit: float = MAX_STRETCH) -> bool:
    """Return whether a stretch ratio is within a limit."""
    return abs(speed_change(ratio)) <= limit + 1e-9


def speed_change(ratio: float) -> float:
    """Convert a stretch ratio, new to old duration, to a change of speed: 0.05 for 5 % faster."""
    return 1 / ratio - 1


def format_speed_change(ratio: float) -> str:
    """Return a stretch ratio as a change of speed, such as `+5.0 %`."""
    return f"{100 * speed_change(ratio):+.1f} %"
