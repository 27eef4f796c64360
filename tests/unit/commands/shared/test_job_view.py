"""Jobs on a terminal."""

from __future__ import annotations

from datetime import UTC, datetime

from mashup_worker.commands.shared.job_view import JobList, duration_text, table_of
from mashup_worker.db.queues import QueueState


def test_the_table_names_paused_queues() -> None:
    since = datetime(2026, 3, 1, 12, 0, 9, tzinfo=UTC)
    paused = QueueState(name="gpu", job_types=("separate",), paused_at=since)
    assert table_of(JobList([], {"queued": 3}, [paused])).title == (
        "3 queued\nqueue gpu: paused since 2026-03-01 12:00:09 UTC;"
        " run `mashup queue resume gpu` to start its jobs"
    )
    assert table_of(JobList([], {}, [])).title == "no jobs"


def test_durations_have_their_largest_unit() -> None:
    texts = [duration_text(seconds) for seconds in (-1, 0.4, 59, 60, 7_000, 200_000)]
    assert texts == ["0 s", "0 s", "59 s", "1 min", "2 h", "2 d"]
