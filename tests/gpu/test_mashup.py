"""A mashup of four stems on a GPU: tracks, their sum, the master, and its measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import soundfile
import torch

from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.bench import music
from mashup_worker.pipelines.mashup.make import make_mashup
from tests.gpu.networks import assert_near
from tests.unit.mashups import mashup_plan

if TYPE_CHECKING:
    from pathlib import Path

    from mashup_worker.pipelines.mashup.make import MashupResult
    from tests.unit.mashups import Spans

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("as_torch_starts")]

BARS, TEMPO_BPM = 2, 120.0
VOICE_BPM = 116.0


def mashed(folder: Path, device: str) -> MashupResult:
    """A voice, stretched and transposed, over another song's drums, bass and other."""
    spans: Spans = {"a/vocals": [(1, BARS)]}
    spans |= {f"b/{kind}": [(0, BARS)] for kind in ("drums", "bass", "other")}
    plan = mashup_plan(spans, bars=BARS, tempo_bpm=TEMPO_BPM, seed=3)
    voice, *others = plan.clips
    voice = voice.model_copy(update={"semitones": 1.0})
    voice_source = plan.sources["a/vocals"].model_copy(update={"tempo_bpm": VOICE_BPM})
    plan = plan.model_copy(
        update={"clips": (voice, *others), "sources": {**plan.sources, "a/vocals": voice_source}}
    )
    duration_s = BARS * 4 * 60 / VOICE_BPM
    band = music.stems(duration_s, TEMPO_BPM)
    sounds = {name: band[source.kind] for name, source in plan.sources.items()}
    sounds["a/vocals"] = music.stems(duration_s, VOICE_BPM)["vocals"]
    return make_mashup(
        plan, sounds, folder / f"{device}.flac", EncodeOptions("flac", 24), device=device
    )


def test_a_mashup_equals_that_of_the_cpu(tmp_path: Path) -> None:
    here, there = mashed(tmp_path, "cpu"), mashed(tmp_path, "cuda")
    assert there.render.mix.samples.device.type == "cuda"
    assert there.render.engines == here.render.engines
    assert len(there.render.tracks) == 4
    total = torch.stack([track.audio.samples for track in there.render.tracks]).sum(0)
    assert_near(there.render.mix.samples.cpu(), total.cpu(), 90)
    assert_near(there.render.mix.samples.cpu(), here.render.mix.samples, 50)
    for got, expected in (
        (there.master.loudness.integrated_lufs, here.master.loudness.integrated_lufs),
        (there.master.loudness.true_peak_dbtp, here.master.loudness.true_peak_dbtp),
        (there.master.limiting_db, here.master.limiting_db),
    ):
        assert got == pytest.approx(expected, abs=0.1)
    played, _ = soundfile.read(there.master.path, dtype="float32")
    assert_near(torch.from_numpy(played.T), here.master.played.samples, 40)
    for mine, theirs in zip(there.report.measurements, here.report.measurements, strict=True):
        assert (mine.name, mine.passed) == (theirs.name, theirs.passed)
