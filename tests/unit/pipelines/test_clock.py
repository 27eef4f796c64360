"""Stages are charged with what the device did for them, and not with waiting for stages before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import soundfile
import torch

from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.audio.signal import Audio
from mashup_worker.pipelines import clock
from mashup_worker.pipelines.analysis.analyze import analyze_audio, analyze_stems
from mashup_worker.pipelines.clock import Clock
from mashup_worker.pipelines.mashup.make import make_mashup
from mashup_worker.pipelines.separation.separate import SeparateRequest, separate_file
from tests.engines import Splitter, music
from tests.unit.mashups import mashup_plan

if TYPE_CHECKING:
    from pathlib import Path

CPU = torch.device("cpu")


def test_a_stage_lasts_until_its_device_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now_s[0])

    def finish(device: torch.device) -> None:
        assert device == CPU
        now_s[0] += 5.0

    monkeypatch.setattr(clock, "wait_for", finish)
    made = Clock()
    now_s[0] += 1.0  # the host enqueues
    made.lap("separate", CPU)
    now_s[0] += 2.0
    made.lap("encode")
    assert made.laps_s == {"separate": 6.0, "encode": 2.0}


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """By stage, whether its device was waited for."""
    stages: dict[str, bool] = {}
    plain = Clock.lap

    def lap(self: Clock, stage: str, device: torch.device | None = None) -> None:
        stages[stage] = device is not None
        plain(self, stage, device)

    monkeypatch.setattr(Clock, "lap", lap)
    return stages


def test_a_separation_waits_before_its_stems_are_encoded(
    tmp_path: Path, waited: dict[str, bool]
) -> None:
    soundfile.write(tmp_path / "song.wav", music(0.5).samples.T.numpy(), 44_100)
    targets = {kind: tmp_path / f"{kind}.flac" for kind in Splitter.stems}
    separate_file(Splitter(), SeparateRequest(tmp_path / "song.wav", targets))
    assert waited == {"decode": False, "separate": True, "encode": False}


@pytest.mark.parametrize("of_stems", [False, True])
def test_an_analysis_waits_after_each_stage(of_stems: bool, waited: dict[str, bool]) -> None:
    song = music(2.0)
    if of_stems:
        analyze_stems({"drums": song})
    else:
        analyze_audio(song)
    assert waited == {"measure": True, "harmony": True, "rhythm": True, "form": False}


def test_a_mashup_waits_until_it_is_rendered_and_mastered(
    tmp_path: Path, waited: dict[str, bool]
) -> None:
    plan = mashup_plan({"a/drums": [(0, 2)]}, bars=2)
    noise = torch.randn(2, 5 * plan.sample_rate, generator=torch.Generator().manual_seed(0))
    sounds = {"a/drums": Audio(0.1 * noise, plan.sample_rate)}
    make_mashup(plan, sounds, tmp_path / "mashup.wav", EncodeOptions("wav"))
    assert [waited[stage] for stage in ("stretch", "mix", "master 1")] == [True] * 3
    assert [waited[stage] for stage in ("encode 1", "measure 1", "check")] == [False] * 3
