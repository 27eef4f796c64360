"""Times of songs as text."""

from __future__ import annotations


def clock(time_s: float, digits: int = 0) -> str:
    """Return minutes and seconds, such as `1:05` or, with one digit, `1:05.3`.

    A first downbeat may lie a little before the start of a file, which is `0:00`, too.
    """
    minutes, ticks = divmod(max(0, round(time_s * 10**digits)), 60 * 10**digits)
    return f"{minutes}:{ticks / 10**digits:0{3 + digits if digits else 2}.{digits}f}"
