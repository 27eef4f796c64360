"""Log lines carry the job that they are about."""

from __future__ import annotations

import json
import logging
import re
import threading
from typing import TYPE_CHECKING

import pytest

from mashup_worker.logs import log_to_stderr, logging_job

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mashup_worker.logs import LogFormat

logger = logging.getLogger("mashup_worker.somewhere")


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    ours = logging.getLogger("mashup_worker")
    before = ours.handlers[:], ours.level, ours.propagate
    yield
    ours.handlers[:], ours.propagate = before[0], before[2]
    ours.setLevel(before[1])


def log_something(log_format: LogFormat) -> None:
    log_to_stderr(log_format)
    logger.info("before %d", 1)
    with logging_job("5e0c", 2, lambda: "separate"):
        thread = threading.Thread(target=lambda: logger.warning("from a thread"))
        thread.start()
        thread.join()
        try:
            raise ValueError("two\nlines")
        except ValueError:
            logger.exception("it broke")
    logger.info("after")


def test_text_lines(capsys: pytest.CaptureFixture[str]) -> None:
    log_something("text")
    first, thread, broke, *traceback, last = capsys.readouterr().err.splitlines()
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    assert re.fullmatch(f"{time} INFO mashup_worker.somewhere: before 1", first)
    about = r"\[job=5e0c attempt=2 stage=separate\]"
    assert re.fullmatch(f"{time} WARNING mashup_worker.somewhere: from a thread {about}", thread)
    assert re.fullmatch(f"{time} ERROR mashup_worker.somewhere: it broke {about}", broke)
    assert traceback[-1] == "lines"
    assert last.endswith(": after")


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    log_something("json")
    before, thread, broke, after = map(json.loads, capsys.readouterr().err.splitlines())
    assert {"job", "attempt", "stage"}.isdisjoint(before)
    assert {"job", "attempt", "stage"}.isdisjoint(after)
    assert (thread["level"], thread["message"]) == ("warning", "from a thread")
    for line in (thread, broke):
        assert (line["job"], line["attempt"], line["stage"]) == ("5e0c", 2, "separate")
    assert broke["exception"].endswith("ValueError: two\nlines")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", before["time"])
