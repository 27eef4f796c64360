"""Decisions of the sender of webhooks."""

from __future__ import annotations

import pytest

from mashup_worker.webhooks.sender import delay_s, failure_of


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_answers_that_mean_success(status: int) -> None:
    assert failure_of("a.test", status) is None


@pytest.mark.parametrize(
    ("status", "final"),
    [
        *((status, True) for status in (400, 401, 403, 404, 410, 413, 422, 451)),
        *((status, False) for status in (301, 302, 408, 409, 425, 429, 500, 503, 599, 999)),
    ],
)
def test_answers_that_mean_failure(status: int, final: bool) -> None:
    failure = failure_of("a.test", status)
    assert failure is not None
    assert failure.final is final
    assert failure.reason == f"a.test: answered {status}"


def test_pauses_double_to_an_hour_and_differ() -> None:
    for tries, longest_s in ((1, 10), (2, 20), (5, 160), (9, 2_560), (10, 3_600), (10_000, 3_600)):
        pauses = {delay_s(tries, 10.0) for _ in range(50)}
        assert len(pauses) > 40
        assert longest_s / 2 <= min(pauses)
        assert max(pauses) <= longest_s
