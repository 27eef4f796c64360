"""Clocks, shares and memory of measurements."""

from __future__ import annotations

import mmap
import time
from functools import partial

import numpy as np
import pytest
import torch

from mashup_worker.bench import ceilings
from mashup_worker.bench.measure import (
    PeakMemory,
    ProcessorClock,
    covered,
    kernel_share,
    paired_ratio,
    reset_host_peak,
    timed_s,
)
from mashup_worker.bench.results import Work
from mashup_worker.system.cores import usable_processors

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("rounds_s", "p50_s", "p95_s"),
    [([3.0], 3.0, 3.0), ([2.0, 1.0], 1.5, 1.95), ([float(s) for s in range(20, -1, -1)], 10, 19)],
)
def test_percentiles_lie_between_neighbors(
    rounds_s: list[float], p50_s: float, p95_s: float
) -> None:
    run = Work(1, 60.0).run("engine", rounds_s, peak_host_bytes=0)
    assert (run.p50_s, run.p95_s) == (p50_s, p95_s)


def test_no_rounds_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="no median"):
        Work(1, 60.0).run("engine", [], peak_host_bytes=0)


def test_a_machine_that_slows_down_for_a_while_does_not_change_a_ratio() -> None:
    slow = [3.0, 30.0, 3.0, 30.0, 3.0]
    fast = [1.0, 10.0, 1.0, 10.0, 1.0]
    assert paired_ratio(slow, fast) == 3.0
    assert np.median([slow[1], *slow[2:]]) / np.median(fast) != 3.0


def test_time_is_that_of_the_work() -> None:
    assert 0.05 <= timed_s(partial(time.sleep, 0.05), CPU) < 5


def test_covered_time_counts_what_overlaps_once() -> None:
    generator = np.random.default_rng(1)
    spans = [(start, start + generator.integers(0, 30)) for start in generator.integers(0, 500, 40)]
    seconds = {second for start, stop in spans for second in range(start, stop)}
    assert covered(spans) == len(seconds)
    assert covered([]) == 0


def test_the_processor_is_idle_in_sleep_and_busy_in_work() -> None:
    idle = ProcessorClock()
    time.sleep(0.2)
    asleep = idle.share() * usable_processors()
    busy = ProcessorClock()
    began_s, stop_s = time.perf_counter(), time.process_time() + 0.2
    while time.process_time() < stop_s:
        sum(range(1000))
    at_work = busy.share() * usable_processors()
    wall_s = time.perf_counter() - began_s  # longer than the work where other processes run
    assert asleep < 0.1
    assert at_work * wall_s >= 0.2
    assert at_work <= usable_processors()


@pytest.mark.skipif(not reset_host_peak(), reason="this system's peaks can't start anew")
def test_the_peak_is_that_of_the_block_alone() -> None:
    def peak_bytes(megabytes: int) -> int:
        # Mapped, since an allocator may have kept as much from other tests.
        with PeakMemory(CPU) as peak, mmap.mmap(-1, megabytes << 20) as memory:
            memory[:: mmap.PAGESIZE] = bytes(len(memory) // mmap.PAGESIZE)
        assert peak.device_bytes is None
        return peak.host_bytes

    peak_bytes(1)
    large, small = peak_bytes(400), peak_bytes(1)
    assert 350e6 < large - small < 500e6


def test_ceilings_are_rates_of_machines() -> None:
    sizes = ceilings.ProbeSizes(matrix_side=256, copy_bytes=16 << 20, seconds=0.05)
    assert 1e8 < ceilings.product_rate(CPU, "fp32", sizes) < 1e14
    assert 1e8 < ceilings.copy_rate(CPU, sizes) < 1e13
    assert ceilings.precisions(CPU)[0] == "fp32"


@pytest.mark.gpu
@pytest.mark.hardware("a fake one has no rates")
def test_ceilings_of_a_gpu() -> None:
    device = torch.device("cuda", 0)
    sizes = ceilings.ProbeSizes(4096, copy_bytes=256 << 20, bus_bytes=64 << 20)
    rates = {name: ceilings.product_rate(device, name, sizes) for name in ("fp32", "fp16")}
    assert rates["fp16"] > rates["fp32"] > 1e11
    to_device, back = ceilings.bus_rates(device, sizes)
    assert min(to_device, back) > 1e8
    assert ceilings.copy_rate(device, sizes) > max(to_device, back)


@pytest.mark.gpu
@pytest.mark.hardware("a fake one runs no kernels")
def test_kernels_that_run_all_the_time_take_all_of_it() -> None:
    device = torch.device("cuda", 0)
    square = torch.randn(4096, 4096, device=device)

    def work() -> None:
        for _ in range(50):
            torch.mm(square, square)

    work()
    share = kernel_share(work, device, timed_s(work, device))
    assert share is not None
    assert share > 0.8
    with PeakMemory(device) as peak:
        torch.ones(1 << 28, device=device)
    assert peak.device_bytes is not None
    assert 1 << 30 <= peak.device_bytes < 1.1 * (1 << 30)
