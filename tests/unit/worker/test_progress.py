"""Progress of a job in percent."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

import pytest

from mashup_worker.worker.handlers import all_handlers
from mashup_worker.worker.progress import FETCH, UPLOAD, Progress

if TYPE_CHECKING:
    from mashup_worker.vocabulary import JobType

STAGES = {"decode": 1.0, "separate": 8.0, "encode": 1.0}


def test_stages_follow_each_other_to_the_end() -> None:
    progress = Progress(STAGES)
    seen = []
    for stage in (FETCH, *STAGES, UPLOAD):
        for step in range(11):
            progress.advance(stage, step / 10)
            seen.append(progress.now()[0])
    assert seen == sorted(seen)
    assert seen[0] == 0
    assert seen[-1] == 99, "only a completed row has 100"


def test_the_percent_never_decreases() -> None:
    dice, progress, last = random.Random(5), Progress(STAGES), 0
    for _ in range(2_000):
        progress.advance(dice.choice([FETCH, *STAGES, UPLOAD, "unknown"]), dice.uniform(-1, 2))
        now, _ = progress.now()
        assert last <= now <= 99
        last = now


def test_stages_last_until_the_next_report_of_another() -> None:
    progress = Progress(STAGES)
    assert progress.stage_times() == {}
    for stage in (FETCH, "decode", "separate", "decode", UPLOAD):
        progress.advance(stage, 0.5)
    times = progress.stage_times()
    assert list(times) == [FETCH, "decode", "separate", UPLOAD]
    assert times[FETCH].end_ns == times["decode"].start_ns
    assert times["decode"].end_ns == times[UPLOAD].start_ns
    assert times["decode"].start_ns <= times["separate"].start_ns <= times["separate"].end_ns
    assert times["separate"].end_ns <= times["decode"].end_ns <= times[UPLOAD].end_ns


def test_any_thread_may_advance_it() -> None:
    progress = Progress(STAGES)

    def work() -> None:
        for step in range(500):
            progress.advance("separate", step / 500)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert progress.now() == (progress.now()[0], "separate")
    assert 70 <= progress.now()[0] <= 99


@pytest.mark.parametrize("job_type", list(all_handlers(600.0)))
def test_shares_of_every_job_type_add_up(job_type: JobType) -> None:
    assert sum(all_handlers(600.0)[job_type].stages.values()) == pytest.approx(1.0)
