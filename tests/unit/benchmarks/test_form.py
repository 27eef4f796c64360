from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.form import chord_scores, role_share, section_scores, spans_of
from benchmarks.form_truth import frames, intervals, micro_f
from mashup_worker.analysis.form.result import ChordSpan, Section
from synth import bandstand

TRUTH = bandstand.draw(3).truth
RIGHT = [
    Section(one.start_s, one.stop_s, one.label, 1.0, role=one.label)  # type: ignore[arg-type]
    for one in TRUTH.sections
]


def test_the_truth_is_right() -> None:
    assert section_scores(TRUTH, spans_of(RIGHT)) == pytest.approx([1.0] * 8)
    chords = [ChordSpan(one.start_s, one.stop_s, one.label, 1.0) for one in TRUTH.chords]
    assert chord_scores(TRUTH, chords) == pytest.approx([1.0, 1.0])
    assert role_share(TRUTH, RIGHT) == pytest.approx(1.0)


def test_errors_cost_something() -> None:
    late = [replace(one, start_s=one.start_s + 1, stop_s=one.stop_s + 1) for one in RIGHT]
    at_3_s, at_half_s, *_ = section_scores(TRUTH, spans_of(late))
    assert at_3_s == 1.0
    assert at_half_s < 0.6
    assert section_scores(TRUTH, spans_of([]))[5] < 0.7
    assert chord_scores(TRUTH, []) == [0.0, 0.0]
    assert role_share(TRUTH, [replace(one, role="break") for one in RIGHT]) == 0.0


def test_frames_of_singing_are_counted() -> None:
    sung = frames([(0.5, 1.5), (1.0, 2.0)], 4.0)
    assert (len(sung), int(sung.sum())) == (400, 150)
    assert micro_f(sung, sung) == 1
    assert micro_f(sung, frames([], 4.0)) == 0
    assert micro_f(frames([], 4.0), frames([], 4.0)) == 1
    assert micro_f(sung, np.ones(400, dtype=bool)) == pytest.approx(300 / 550)


def test_intervals_are_those_of_the_truth() -> None:
    times, labels = intervals(TRUTH.sections)
    assert times.shape == (len(TRUTH.sections), 2)
    assert labels[0] == TRUTH.sections[0].label
