"""Restarts of processes that exit."""

from __future__ import annotations

import threading

from mashup_worker.errors import ServiceUnavailable
from mashup_worker.system.restarter import RestartBackoff, Restarter


class FakeProcess:
    """Process that fails its first restart."""

    def __init__(self) -> None:
        self.name = "fake"
        self.alive = True
        self.tries = 0

    def is_running(self) -> bool:
        return self.alive

    def restart(self, timeout_s: float) -> None:
        assert timeout_s == 5.0
        self.tries += 1
        if self.tries == 1:
            raise ServiceUnavailable("fake: exited again")
        self.alive = True


def test_pauses_double_up_to_a_limit_and_reset_after_a_steady_run() -> None:
    backoff = RestartBackoff()
    assert [backoff.pause_s(1.0) for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert backoff.pause_s(61.0) == 0.5
    assert backoff.pause_s(1.0) == 1.0


def test_an_exited_process_is_restarted_until_it_runs() -> None:
    process, restarted = FakeProcess(), threading.Event()
    restarter = Restarter([process], 5.0, restarted.set)
    process.alive = False
    assert restarted.wait(60)
    restarter.stop()
    assert (process.alive, process.tries) == (True, 2)


def test_a_stopped_restarter_restarts_nothing() -> None:
    process, restarted = FakeProcess(), threading.Event()
    earlier = set(threading.enumerate())  # the watch of another test may still end
    restarter = Restarter([process], 5.0, restarted.set)
    (watch,) = set(threading.enumerate()) - earlier
    restarter.stop()
    process.alive = False
    watch.join(60)
    assert not watch.is_alive()
    assert process.tries == 0
