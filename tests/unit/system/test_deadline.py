"""Blocking calls with a time limit."""

from __future__ import annotations

import threading
import time

import pytest

from mashup_worker.system.deadline import call_within


def test_results_and_exceptions_are_passed_on() -> None:
    assert call_within(10.0, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        call_within(10.0, lambda: 1 / 0)


def test_a_late_result_is_discarded() -> None:
    release, discarded = threading.Event(), threading.Event()
    results: list[str] = []

    def call() -> str:
        release.wait(60)
        return "late"

    def discard(result: str) -> None:
        results.append(result)
        discarded.set()

    started_s = time.monotonic()
    with pytest.raises(TimeoutError):
        call_within(0.05, call, discard)
    assert time.monotonic() - started_s < 30
    release.set()
    assert discarded.wait(60)
    assert results == ["late"]
