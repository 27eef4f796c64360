"""Times of songs as text."""

from __future__ import annotations

import pytest

from mashup_worker.commands.shared.clock import clock


@pytest.mark.parametrize(
    ("time_s", "digits", "text"),
    [
        (0.0, 0, "0:00"),
        (64.6, 0, "1:05"),
        (65.26, 1, "1:05.3"),
        (59.96, 1, "1:00.0"),
        (3_600.0, 0, "60:00"),
        (-0.0001, 1, "0:00.0"),
        (-0.3, 1, "0:00.0"),
    ],
)
def test_minutes_and_seconds(time_s: float, digits: int, text: str) -> None:
    assert clock(time_s, digits) == text
