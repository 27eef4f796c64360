"""Import times by package."""

from __future__ import annotations

import sys

import pytest

from benchmarks.startup import import_seconds, run

REPORT = """import time: self [us] | cumulative | imported package
import time:       250 |        250 |   torch._C
import time:      1000 |       1250 | torch
import time:   1500000 |    1501250 | mashup_worker.pipelines.song
a line of the program
"""


def test_own_times_are_summed_by_package() -> None:
    seconds = import_seconds(REPORT)
    assert seconds == pytest.approx({"torch": 0.00125, "mashup_worker": 1.5})


def test_a_run_has_the_times_of_its_process() -> None:
    work = "import time; end = time.process_time() + 0.1\nwhile time.process_time() < end: pass"
    times = run([sys.executable, "-c", work])
    assert times.wall_s >= 0.1
    assert 0.1 <= times.processor_s + 1e-6 < 5  # differences of large numbers
