"""Mashups rendered, mastered, measured and shown on a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from mashup_worker.audio.decode import decode
from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.audio.signal import Audio
from mashup_worker.errors import InvalidInput
from mashup_worker.pipelines.mashup.make import make_mashup, render_mix, sounds_of_plan
from mashup_worker.report.mix_page import MixPage, write_mix_page
from tests.unit.audio_fixtures import music, write
from tests.unit.mashups import mashup_plan
from tests.unit.mixing.render.sounds import clicks, noise, tone, with_clip
from tests.unit.music import drums, even_beats

if TYPE_CHECKING:
    from pathlib import Path

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


def late_drums(late_s: float = 0.015) -> tuple[Plan, dict[str, Audio]]:
    """Return a plan of drums that are late in their song's bars, and their sound."""
    plan = mashup_plan({"a/drums": [(0, 12)]}, bars=12, sample_rate=22_050)
    beats = even_beats(120.0, 24.4, start_s=late_s)
    played = 0.25 * drums(beats, 4, 24.5, 22_050).expand(2, -1)
    return plan, {"a/drums": Audio(played, 22_050)}


def test_a_fault_that_is_measured_is_corrected_and_rendered_again(tmp_path: Path) -> None:
    plan, sounds = late_drums()
    made = make_mashup(plan, sounds, tmp_path / "a.wav", EncodeOptions("wav"))
    assert (made.rounds, made.report.passed, made.misses) == (2, True, [])
    moved_s = made.plan.sources["a/drums"].first_downbeat_s
    assert moved_s == pytest.approx(0.015, abs=0.002)
    assert "corrected: a moved by +15 ms to its beats as heard" in made.plan.notes
    assert made.master.path == tmp_path / "a.wav"
    assert torch.equal(decode(tmp_path / "a.wav").samples, made.master.played.samples)
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]
    # The plan that is kept needs no correction.
    again = make_mashup(made.plan, sounds, tmp_path / "b.wav", EncodeOptions("wav"))
    assert again.rounds == 1
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_sides_that_cancel_the_middle_out_are_softened(tmp_path: Path) -> None:
    plan, sounds = late_drums(0.0)
    middle = sounds["a/drums"].samples[:1]
    side = middle.roll(round(0.125 * 22_050), dims=1)  # as loud, on other sixteenths
    wide = Audio(torch.cat([middle + 1.1 * side, middle - 1.1 * side]), 22_050)
    made = make_mashup(plan, {"a/drums": wide}, tmp_path / "a.wav", EncodeOptions("wav"))
    assert (made.rounds, made.report.passed, made.misses) == (2, True, [])
    assert made.plan.master.side_gain_db == pytest.approx(-1.6, abs=0.3)
    assert "since left and right cancelled each other out" in " ".join(made.plan.notes)


def test_what_a_correction_leaves_sounds_and_measures_as_if_it_were_rendered_anew(
    tmp_path: Path,
) -> None:
    late, sounds = late_drums()
    plan = mashup_plan({"a/drums": [(0, 12)], "b/other": [(0, 12)]}, bars=12, sample_rate=22_050)
    plan = with_clip(plan, 1, semitones=1.0)
    tones = Audio(tone(330.0, 12).samples[:, ::2].contiguous(), late.sample_rate)
    sounds = {**sounds, "b/other": tones}
    made = make_mashup(plan, sounds, tmp_path / "a.wav", EncodeOptions("wav"))
    assert made.rounds == 2
    anew = make_mashup(made.plan, sounds, tmp_path / "b.wav", EncodeOptions("wav"))
    assert anew.rounds == 1
    assert torch.equal(made.render.mix.samples, anew.render.mix.samples)
    assert made.report.measurements == anew.report.measurements


def test_a_plan_that_must_stay_is_measured_and_its_misses_are_named(tmp_path: Path) -> None:
    plan, sounds = late_drums()
    made = make_mashup(plan, sounds, tmp_path / "a.wav", EncodeOptions("wav"), corrects=False)
    assert (made.rounds, made.report.passed) == (1, False)
    assert made.plan.sources == plan.sources
    (miss,) = [one for one in made.misses if "a/drums: lag:" in one]
    assert miss.startswith(f"{tmp_path / 'a.wav'}: a/drums: lag: 1")
    assert miss.endswith(" ms, expected <= 10 ms")
