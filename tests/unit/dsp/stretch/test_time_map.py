"""Where moments go when a sound is stretched."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mashup_worker.dsp.stretch.engine import Change
from mashup_worker.dsp.stretch.time_map import TimeMap

steps = st.lists(st.tuples(st.integers(1, 5000), st.integers(1, 5000)), min_size=1, max_size=9)


def of_steps(pieces: list[tuple[int, int]]) -> TimeMap:
    source, target = np.cumsum([(0, 0), *pieces], axis=0).T.tolist()
    return TimeMap(tuple(source), tuple(target))


@given(steps)
def test_moments_go_where_interpolation_puts_them_and_come_back(
    pieces: list[tuple[int, int]],
) -> None:
    time_map = of_steps(pieces)
    moments = torch.linspace(0, time_map.source_samples, 50, dtype=torch.float64)
    there = time_map.target_at(moments)
    expected = np.interp(moments.numpy(), time_map.source, time_map.target)
    assert there.numpy() == pytest.approx(expected, abs=1e-6)
    assert time_map.source_at(there).numpy() == pytest.approx(moments.numpy(), abs=1e-6)


@given(steps)
def test_steps_are_the_lengths_of_the_pieces(pieces: list[tuple[int, int]]) -> None:
    assert of_steps(pieces).steps == tuple(pieces)


def test_beyond_its_ends_a_map_goes_on() -> None:
    time_map = TimeMap((0, 100, 200), (0, 200, 250))
    at = torch.tensor([-10.0, 300.0])
    assert time_map.target_at(at).tolist() == [-20, 300]


@pytest.mark.parametrize(("length", "ratio", "stretched"), [(1000, 1.25, 1250), (1, 0.1, 1)])
def test_an_even_stretch_has_a_sample_at_least(length: int, ratio: float, stretched: int) -> None:
    assert TimeMap.constant(length, ratio).target_samples == stretched


@pytest.mark.parametrize(
    ("source", "target"),
    [((0,), (0,)), ((0, 5), (0, 5, 6)), ((1, 5), (0, 5)), ((0, 5, 5), (0, 5, 6))],
)
def test_a_map_that_does_not_rise_is_refused(
    source: tuple[int, ...], target: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match=r"time map"):
        TimeMap(source, target)


def test_only_a_map_that_moves_nothing_is_no_change() -> None:
    assert Change(TimeMap.constant(500, 1.0)).is_nothing
    assert not Change(TimeMap.constant(500, 1.0), semitones=-0.5).is_nothing
    assert not Change(TimeMap((0, 100, 500), (0, 101, 500))).is_nothing
