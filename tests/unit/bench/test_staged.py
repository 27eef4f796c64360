"""Analyses and mashups of songs that nobody recorded."""

from __future__ import annotations

import pytest
import torch

from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.bench.results import Taken, Work
from mashup_worker.bench.staged import measure_analysis, measure_mashup

CPU = torch.device("cpu")
TAKEN = Taken("mashup bench", "2026-01-01", {})


def test_an_analysis_in_stages() -> None:
    steps: list[str] = []
    made = measure_analysis(Work(1, 12), CPU, 2, taken=TAKEN, on_step=steps.append)
    assert len(made.run.rounds_s) == 2
    assert made.run.times_real_time == pytest.approx(12 / made.run.p50_s, rel=1e-2)
    assert sum(made.stages_s.values()) <= 1.1 * made.run.p95_s
    assert steps[-1] == "analysis: round 2 of 2"


def test_a_mashup_in_stages_after_its_songs_were_analysed() -> None:
    encode = EncodeOptions("flac")
    made = measure_mashup(
        Work(1, 12), CPU, 1, taken=TAKEN, on_step=lambda _step: None, encode=encode
    )
    assert made.run.label == "mashup to FLAC"
    assert {"read", "plan", "stretch", "master", "check"} <= set(made.stages_s)
    assert list(made.processor_s) == ["read", "plan", "stretch", "mix", "master", "encode", "check"]
    assert min(made.processor_s.values()) > 0
    assert 1 <= made.renderings <= 3
    assert sum(made.stages_s.values()) <= 1.1 * made.run.p50_s
