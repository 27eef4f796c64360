from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from mashup_worker.analysis.document import read_analysis
from mashup_worker.analysis.result import Analysis, AnalysisOptions
from mashup_worker.audio.signal import Audio
from mashup_worker.errors import InvalidInput
from mashup_worker.pipelines.analysis.analyze import analyze_audio, analyze_stems
from synth import bandstand
from synth.core import RATE_HZ


@pytest.fixture(scope="module")
def song() -> dict[str, Audio]:
    """A song of 60 s, with bars of silence in place of vocals."""
    stems = dict(bandstand.generate(2029).stems)
    vocals = torch.zeros_like(stems["other"].samples)
    times = torch.arange(8 * RATE_HZ) / RATE_HZ
    vocals[:, 10 * RATE_HZ : 18 * RATE_HZ] = 0.2 * torch.sin(2 * torch.pi * 440 * times)
    return {**stems, "vocals": Audio(vocals, RATE_HZ)}


@pytest.fixture(scope="module")
def analysis(song: dict[str, Audio]) -> Analysis:
    return analyze_stems(song).analysis


def test_stems_give_the_whole_form(analysis: Analysis) -> None:
    truth = bandstand.draw(2029).truth
    assert analysis.singing_known
    assert [(one.start_s, one.stop_s) for one in analysis.singing] == [
        pytest.approx((10, 18), abs=0.1)
    ]
    assert analysis.sections[0].start_s == pytest.approx(truth.sections[0].start_s, abs=0.1)
    assert len(analysis.bars) == len(analysis.downbeats_s)
    assert {bar.chord for bar in analysis.bars} > {None} or len(analysis.chords) > 4
    assert analysis.chord_method == "template"
    assert {cue.kind for cue in analysis.cue_points} >= {"first downbeat", "mix in"}
    assert all(a.stop_s == b.start_s for a, b in pairwise(analysis.sections))


def test_a_document_is_read_again(analysis: Analysis) -> None:
    found = read_analysis(analysis.as_dict())
    assert found is not None
    assert [one.label for one in found.sections] == [one.label for one in analysis.sections]
    assert found.bars[0].start_s == pytest.approx(analysis.bars[0].start_s, abs=1e-4)
    older = {name: value for name, value in analysis.as_dict().items() if name != "sections"}
    assert read_analysis(older) == replace(found, sections=())


def test_a_mix_does_not_reveal_the_singing(song: dict[str, Audio]) -> None:
    mix = torch.stack([stem.samples for stem in song.values()]).sum(dim=0)
    found = analyze_audio(Audio(mix, RATE_HZ)).analysis
    assert (found.singing_known, found.singing) == (False, ())
    assert len(found.sections) >= 2


@pytest.mark.parametrize("duration_s", [0.0, 0.01, 3.0])
@pytest.mark.parametrize("channels", [1, 2])
def test_short_and_silent_sounds_have_no_form(duration_s: float, channels: int) -> None:
    shape = channels, round(duration_s * RATE_HZ)
    noise = 0.1 * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    for samples in (torch.zeros(shape), noise):
        found = analyze_audio(Audio(samples, RATE_HZ)).analysis
        assert [*found.sections, *found.loops, *found.cue_points] == []
        stems = analyze_stems({"vocals": Audio(samples, RATE_HZ)}).analysis
        assert stems.singing_known


def test_unknown_methods_are_refused() -> None:
    with pytest.raises(InvalidInput, match="choose template, network"):
        AnalysisOptions(chord_method="ear")  # type: ignore[arg-type]
