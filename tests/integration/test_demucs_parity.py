"""The engine gives what `demucs.api.Separator` gives, on the same checkpoints."""

from __future__ import annotations

import random
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import torch
from demucs.api import Separator as Reference

from tests.checkpoints import make_repository
from tests.engines import engine, music, separate

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from mashup_worker.audio.signal import Audio
    from mashup_worker.models.engine import NetworkSeparator

SEGMENT_S = 1.95
"""Duration of the segments of the networks, a quarter of what those of real models last."""
BAGS = ("htdemucs", "hdemucs", "htdemucs_ft", "mixed", "kinds")


@cache
def reference_separator(repository: Path, name: str, shifts: int) -> Any:
    return Reference(name, repo=repository, device="cpu", shifts=shifts)


@cache
def separator_of(repository: Path, name: str) -> NetworkSeparator:
    return engine(repository, name)


def reference(repository: Path, name: str, mix: Audio, shifts: int = 0) -> Tensor:
    separator = reference_separator(repository, name, shifts)
    _, stems = separator.separate_tensor(mix.samples.clone())
    return torch.stack(list(stems.values()))


@pytest.fixture(scope="module")
def full_size(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints whose segments last as long as those of real models."""
    return make_repository(tmp_path_factory.mktemp("repository"), shorter=1)


@pytest.mark.parametrize("duration_s", [0.125, SEGMENT_S, 1.3 * SEGMENT_S, 5.75])
@pytest.mark.parametrize("name", BAGS)
def test_equals_the_reference(repository: Path, name: str, duration_s: float) -> None:
    assert_equals_the_reference(repository, name, music(duration_s))


@pytest.mark.parametrize(
    ("name", "duration_s"),
    [
        ("htdemucs", 9.0),
        ("hdemucs", 9.0),
        *(pytest.param(name, 23.0, marks=pytest.mark.slow) for name in BAGS),
    ],
)
def test_segments_of_real_models_equal_the_reference(
    full_size: Path, name: str, duration_s: float
) -> None:
    assert_equals_the_reference(full_size, name, music(duration_s))


def assert_equals_the_reference(repository: Path, name: str, mix: Audio) -> None:
    expected = reference(repository, name, mix)
    got = separate(separator_of(repository, name), mix)
    assert got.shape == expected.shape
    assert (got - expected).abs().max() <= 1e-4 * expected.abs().max()


def test_batches_change_nothing(repository: Path) -> None:
    mix = music(7.5)
    one_by_one = separate(engine(repository, "htdemucs"), mix)
    in_threes = separate(engine(repository, "htdemucs", batch=3), mix)
    assert (in_threes - one_by_one).abs().max() <= 1e-4 * one_by_one.abs().max()


def test_shifts_equal_the_reference_with_the_same_draws(repository: Path) -> None:
    mix = music(2.25)
    random.seed(7)
    expected = reference(repository, "hdemucs", mix, shifts=2)
    got = separate(engine(repository, "hdemucs", shifts=2, seed=7), mix)
    assert (got - expected).abs().max() <= 1e-4 * expected.abs().max()


def test_shifts_repeat_with_their_seed_for_any_stems(repository: Path) -> None:
    mix = music(0.75)
    first = separate(engine(repository, "htdemucs_ft", shifts=1, seed=1), mix)
    again = separate(engine(repository, "htdemucs_ft", shifts=1, seed=1), mix, ["other"])
    other = separate(engine(repository, "htdemucs_ft", shifts=1, seed=2), mix, ["other"])
    assert torch.equal(first[2], again[0])
    assert not torch.equal(again, other)


def test_a_stem_of_a_one_hot_bag_costs_a_quarter_and_is_the_same(repository: Path) -> None:
    mix = music(5.75)
    separator = engine(repository, "htdemucs_ft")
    calls: list[int] = []
    for runner in separator._networks:
        runner.network.register_forward_hook(lambda *_: calls.append(1))
    whole = separate(separator, mix)
    calls_for_all = len(calls)
    vocals = separate(separator, mix, ["vocals"])
    assert calls_for_all == 4 * (len(calls) - calls_for_all)
    assert torch.equal(vocals[0], whole[separator.stems.index("vocals")])


def test_safetensors_and_pickle_load_the_same_network(repository: Path) -> None:
    mix = music(1)
    from_pickle = separate(engine(repository, "htdemucs"), mix)
    from_safetensors = separate(engine(repository, "htdemucs_safe"), mix)
    assert torch.equal(from_pickle, from_safetensors)
