"""Headers of requests for predictions."""

from __future__ import annotations

import re

from mashup_worker.errors import InvalidInput

LONGEST_WAIT_S = 55.0
"""Longest wait for a result: clients and proxies end requests after 60 s."""

_MIN_DEADLINE_S = 5.0
_WAIT = re.compile(r"wait(?:\s*=\s*\"?(\d{1,6})\"?)?", re.IGNORECASE)
_DURATION = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s?)?")


def wait_s_of(prefer: str | None) -> float:
    """Return how long to wait for a result by the header `Prefer`; 0 for not at all.

    Other preferences are ignored (RFC 7240).
    """
    for preference in re.split(r"[,;]", prefer or ""):
        match = _WAIT.fullmatch(preference.strip())
        if match is not None:
            return min(LONGEST_WAIT_S, float(match[1] or LONGEST_WAIT_S))
    return 0.0


def deadline_s_of(cancel_after: str | None) -> float | None:
    """Return the seconds until a prediction is canceled, by the header `Cancel-After`.

    Raises:
        InvalidInput: the header is no duration, or one below 5 s.
    """
    if cancel_after is None:
        return None
    match = _DURATION.fullmatch(cancel_after.strip())
    if match is None or not any(match.groups()):
        raise InvalidInput("Cancel-After: not a duration; write 90, 90s, 5m or 1h30m45s")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    duration_s = 3_600 * hours + 60 * minutes + seconds
    if duration_s < _MIN_DEADLINE_S:
        raise InvalidInput(f"Cancel-After: below {_MIN_DEADLINE_S:g} s")
    return duration_s
