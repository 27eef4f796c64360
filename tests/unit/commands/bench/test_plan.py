"""How long `mashup bench` says that it takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from mashup_worker.commands.bench.plan import BenchPlan, BenchRequest

REQUEST = BenchRequest(
    what="separation",
    against=(),
    model="auto",
    model_repo=None,
    device="auto",
    precision="auto",
    batch=None,
    compiled=False,
    seconds=100.0,
    rounds=10,
    songs=None,
    in_flight=None,
    processes=(),
    sweeps=(),
    limit=True,
    mashup_format="mp3",
    price_per_hour=None,
    command="mashup bench",
)


def expected_s(kind: str, **changes: Any) -> float:
    return BenchPlan(replace(REQUEST, **changes), torch.device(kind)).expected_s()


@pytest.mark.parametrize("kind", ["cpu", "mps", "cuda"])
@pytest.mark.parametrize(
    "what", ["separation", "pipeline", "analyze", "mashup", "processes", "all"]
)
def test_every_round_takes_its_time(what: str, kind: str) -> None:
    ten, twenty, thirty = (expected_s(kind, what=what, rounds=rounds) for rounds in (10, 20, 30))
    assert twenty > ten
    assert thirty - twenty == pytest.approx(twenty - ten)


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
@pytest.mark.parametrize("what", ["separation", "pipeline", "processes"])
def test_compiling_takes_its_time(what: str, kind: str) -> None:
    assert expected_s(kind, what=what, compiled=True) >= expected_s(kind, what=what) + 30


def test_each_compiled_setting_of_a_sweep_is_compiled_by_itself() -> None:
    def sweep_s(*, compiled: bool, sweep: str) -> float:
        return expected_s("cuda", sweeps=(sweep,), compiled=compiled)

    one = expected_s("cuda", compiled=True) - expected_s("cuda")
    batches = sweep_s(compiled=True, sweep="batch") - sweep_s(compiled=False, sweep="batch")
    assert batches == pytest.approx(8 * one)
    assert sweep_s(compiled=False, sweep="compile") > expected_s("cuda") + one


def test_unblend_is_compiled_on_cuda_and_runs_as_often() -> None:
    without, compiled = expected_s("cuda"), expected_s("cuda", compiled=True) - expected_s("cuda")
    assert expected_s("cuda", against=("unblend",)) > without + compiled
    assert expected_s("cpu", against=("unblend",)) < expected_s("cpu") + compiled + 1000 / 2


def test_rounds_of_the_pipeline_are_those_asked_for() -> None:
    plan = BenchPlan(replace(REQUEST, rounds=5), torch.device("cpu"))
    assert plan.rounds("pipeline") == 5
    assert BenchPlan(replace(REQUEST, rounds=None), torch.device("cpu")).rounds("pipeline") == 1
