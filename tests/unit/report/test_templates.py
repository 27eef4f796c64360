from __future__ import annotations

from mashup_worker.report.templates import clock, figure

MINUS = "\N{MINUS SIGN}"


def test_times_and_figures_are_formatted() -> None:
    assert [clock(s, 1) for s in (0, 59.96, 65.25, 3600)] == [
        "0:00.0",
        "1:00.0",
        "1:05.2",
        "60:00.0",
    ]
    assert [clock(s) for s in (9.4, 59.6)] == ["0:09", "1:00"]
    assert [figure(v) for v in (1.25, -3.0, -0.01, None)] == [
        "1.2",
        f"{MINUS}3.0",
        "0.0",
        "\N{EN DASH}",
    ]
    assert [figure(v, sign=True) for v in (2.0, -2.0, -0.001)] == ["+2.0", f"{MINUS}2.0", "+0.0"]
    assert [figure(v) for v in (float("inf"), float("-inf"), float("nan"))] == [
        "∞",
        f"{MINUS}∞",
        "\N{EN DASH}",
    ]
