"""Mashups rendered, mastered, measured and shown on a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.errors import InvalidInput
from mashup_worker.pipelines.mashup.make import make_mashup, render_mix, sounds_of_plan
from mashup_worker.report.mix_page import MixPage, write_mix_page
from tests.unit.audio_fixtures import music, write
from tests.unit.mashups import mashup_plan
from tests.unit.mixing.render.sounds import clicks, noise, tone, with_clip

if TYPE_CHECKING:
    from pathlib import Path

    from mashup_worker.audio.signal import Audio
    from mashup_worker.mixing.plan import Plan


def small_plan() -> tuple[Plan, dict[str, Audio]]:
    plan = mashup_plan(
        {"a/vocals": [(1, 4)], "b/drums": [(0, 4)], "b/other": [(0, 4)]}, bars=4, seed=3,
        master={"loudness_lufs": -16},
    )  # fmt: skip
    sounds = {"a/vocals": noise(4), "b/drums": clicks(4), "b/other": tone(330.0, 4)}
    return with_clip(plan, 0, semitones=1.0), sounds


def test_the_same_plan_gives_the_same_samples(tmp_path: Path) -> None:
    plan, sounds = small_plan()
    first, second = (render_mix(plan, sounds) for _ in range(2))
    assert torch.equal(first.mix.samples, second.mix.samples)
    assert first.engines == {
        "a/vocals": ("tensor",), "b/drums": ("unchanged",), "b/other": ("unchanged",)
    }  # fmt: skip
    for name in ("a", "b"):
        make_mashup(plan, sounds, tmp_path / f"{name}.wav", EncodeOptions("wav"))
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_the_engine_of_a_clip_is_used() -> None:
    plan, sounds = small_plan()
    named = with_clip(plan, 0, semitones=1.0, engine="signalsmith")
    assert render_mix(named, sounds).engines["a/vocals"] == ("signalsmith",)
    with pytest.raises(InvalidInput, match="engine: 'tape' is none of auto, tensor"):
        render_mix(with_clip(plan, 0, engine="tape"), sounds)


def test_damaged_sources_of_a_plan_are_named(tmp_path: Path) -> None:
    plan, _ = small_plan()
    with write(tmp_path / "damaged.wav", music()).open("ab") as file:
        file.write(b"\xaa" * 1_000)
    sources = {
        name: source.model_copy(update={"path": "damaged.wav", "sha256": None})
        for name, source in plan.sources.items()
    }
    warnings: list[str] = []
    sounds_of_plan(
        plan.model_copy(update={"sources": sources}), tmp_path, on_warning=warnings.append
    )
    expected = f"{tmp_path}/damaged.wav: 1,000 bytes behind the audio are ignored"
    assert warnings == [expected] * len(sources)


def test_a_replaced_source_is_named(tmp_path: Path) -> None:
    plan, _ = small_plan()
    with pytest.raises(InvalidInput, match=r"a/vocals\.wav"):
        sounds_of_plan(plan, tmp_path)
    sources = {
        name: source.model_copy(update={"sha256": "0" * 64, "path": "same.txt"})
        for name, source in plan.sources.items()
    }
    (tmp_path / "same.txt").write_text("not it")
    with pytest.raises(
        InvalidInput, match=r"sources\.a/vocals\.sha256: .*same\.txt is not the file"
    ):
        sounds_of_plan(plan.model_copy(update={"sources": sources}), tmp_path)


def test_the_page_of_a_mashup_has_its_measurements_and_its_plan(tmp_path: Path) -> None:
    plan, sounds = small_plan()
    result = make_mashup(plan, sounds, tmp_path / "a.mp3", EncodeOptions("mp3"))
    page = MixPage(
        title="<i>Night</i>",
        plan=result.plan,
        mix=result.master.played,
        report=result.report,
        timings_s={"mix": 1.0},
    )
    write_mix_page(page, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "&lt;i&gt;Night&lt;/i&gt;" in text
    assert "<i>" not in text
    assert text.count("data:image/png;base64,") == 1
    assert "data:audio/mpeg;base64," in text
    for one in result.report.measurements:
        assert one.name in text
    assert "stretched by tensor" in text
    assert '"at_bar"' in text or "&#34;at_bar&#34;" in text
