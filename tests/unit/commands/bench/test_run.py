"""What `mashup bench` reports as failed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mashup_worker.bench.results import ProcessCount
from mashup_worker.commands.bench.run import BenchRun
from mashup_worker.settings import Settings
from tests.unit.bench.documents import full
from tests.unit.commands.bench.test_plan import REQUEST


def test_processes_fail_if_not_even_the_smallest_number_was_measured() -> None:
    request = replace(REQUEST, what="processes")
    run = BenchRun(request, Settings(), Path(), as_json=False, plot=False, quiet=True)
    assert run._failures(full()) == {}
    processes = full().processes
    assert processes is not None
    counts = (ProcessCount(1, None, ("too little memory",)),)
    failed = replace(full(), processes=replace(processes, counts=counts))
    assert run._failures(failed) == {"1 processes": "too little memory"}
    run.request = REQUEST  # of another section, whose document keeps the older one
    assert run._failures(failed) == {}
