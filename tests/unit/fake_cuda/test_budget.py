"""Limits of what code costs the fake device."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from tests.fake_cuda import FakeCudaError
from tests.fake_cuda.budget import DeviceBudget

pytestmark = pytest.mark.skipif(torch.version.cuda is None, reason="needs a CUDA build of torch")


def read_in(module: str) -> None:
    """Read a value of the device, in a line of the package."""
    path = Path(__file__).parents[3] / "mashup_worker" / f"{module}.py"
    exec(compile("x.sum().item()", path, "exec"), {"x": torch.ones(3, device="cuda")})


def test_a_budget_limits_the_costs_of_the_package() -> None:
    budget = DeviceBudget()
    read_in("dsp/hpss")
    with budget.limit(read=1, copy=0):
        torch.ones(3, device="cuda").sum().item()  # the test's own
        read_in("dsp/hpss")
    with (
        pytest.raises(pytest.fail.Exception, match=r"mashup_worker/dsp/hpss\.py:1"),
        budget.limit(read=0),
    ):
        read_in("dsp/hpss")


def test_a_budget_fails_by_defects_that_it_does_not_allow() -> None:
    budget = DeviceBudget()
    with pytest.raises(FakeCudaError):
        torch.ones(3, device="cuda") + torch.ones(3)
    with pytest.raises(pytest.fail.Exception, match="error: add gets"):
        budget.check()
    budget.allow("error")
    budget.check()


@pytest.mark.parametrize(
    ("module", "fails"),
    [("models/graphs", True), ("models/htdemucs/core", True), ("dsp/hpss", False)],
)
def test_reads_of_the_host_are_defects_in_hot_paths(module: str, fails: bool) -> None:
    read_in(module)
    with pytest.raises(pytest.fail.Exception) if fails else nullcontext():
        DeviceBudget().check()
