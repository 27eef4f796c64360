"""Plans played: clips where they belong, fades, filters, ducking, and what is written of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
import torch

from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.stretch.choose import choose_engine
from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.plan import Mix, Plan
from mashup_worker.mixing.render.mixdown import cleared, mixed_down, summed
from mashup_worker.mixing.render.tracks import Track, equal_power_fades, render_tracks
from mashup_worker.pipelines.mashup import make_mashup, render_mix, sounds_of_plan
from mashup_worker.report.mix_page import MixPage, write_mix_page
from tests.unit.mashups import mashup_plan, seeded

if TYPE_CHECKING:
    from pathlib import Path

RATE_HZ = 44_100
BAR = 2 * RATE_HZ
EDGE = round(0.005 * RATE_HZ)


def clicks(bars: int = 8, tempo_bpm: float = 120.0) -> Audio:
    """A click on every beat, the first of a bar twice as high."""
    beat = 60 * RATE_HZ / tempo_bpm
    samples = torch.zeros(2, round(bars * 4 * beat))
    for index in range(bars * 4):
        samples[:, round(index * beat)] = 0.8 if index % 4 == 0 else 0.4
    return Audio(samples, RATE_HZ)


def noise(bars: int = 8, level: float = 0.1) -> Audio:
    return Audio(level * torch.randn(2, bars * BAR, generator=seeded(1)), RATE_HZ)


def tone(hz: float, bars: int = 8, level: float = 0.2) -> Audio:
    at = torch.arange(bars * BAR) / RATE_HZ
    return Audio((level * torch.sin(2 * math.pi * hz * at)).expand(2, -1).contiguous(), RATE_HZ)


def with_clip(plan: Plan, index: int, **changes: Any) -> Plan:
    clips = list(plan.clips)
    clips[index] = clips[index].model_copy(update=changes)
    return plan.model_copy(update={"clips": tuple(clips)})


def rendered(plan: Plan, **sounds: Audio) -> dict[str, torch.Tensor]:
    by_name = {name.replace("__", "/"): sound for name, sound in sounds.items()}
    return {
        track.name: track.audio.samples for track in render_tracks(plan, by_name, choose_engine)
    }


def test_what_needs_no_change_comes_through_sample_by_sample() -> None:
    plan = mashup_plan({"a/drums": [(0, 8)]})
    out = rendered(plan, a__drums=clicks())["a/drums"]
    whole = clicks().samples
    assert torch.equal(out[:, :-EDGE], whole[:, :-EDGE])


def test_a_part_is_silent_before_its_entry_and_after_its_end() -> None:
    plan = mashup_plan({"a/drums": [(0, 8)], "b/other": [(2, 4)]})
    out = rendered(plan, a__drums=clicks(), b__other=noise())["b/other"]
    assert not out[:, : 2 * BAR - EDGE].any()
    assert not out[:, 4 * BAR :].any()
    assert out[:, 2 * BAR : 4 * BAR].any()


def test_an_attack_on_the_bar_line_is_whole() -> None:
    plan = mashup_plan({"a/drums": [(2, 4)]})
    out = rendered(plan, a__drums=clicks())["a/drums"]
    assert float(out[0, 2 * BAR]) == pytest.approx(0.8)


@pytest.mark.parametrize("tempo_bpm", [104.0, 118.0, 125.0, 140.0])
def test_bars_of_another_tempo_land_on_the_bars_of_the_mashup(tempo_bpm: float) -> None:
    plan = mashup_plan({"a/drums": [(0, 8)]})
    sources = {"a/drums": plan.sources["a/drums"].model_copy(update={"tempo_bpm": tempo_bpm})}
    out = rendered(plan.model_copy(update={"sources": sources}), a__drums=clicks(8, tempo_bpm))[
        "a/drums"
    ]
    found = torch.nonzero(out[0].abs() > 0.3)[:, 0]
    beats = torch.arange(32) * BAR // 4
    nearest = (found[:, None] - beats).abs().min(dim=0).values
    assert int(nearest.max()) <= 2


def test_a_song_whose_tempo_moves_is_warped_beat_by_beat() -> None:
    lengths = [0.5 + 0.03 * math.sin(index / 3) for index in range(32)]
    beats_s = [sum(lengths[:index]) for index in range(33)]
    samples = torch.zeros(2, round(beats_s[-1] * RATE_HZ))
    for at_s in beats_s[:-1]:
        samples[:, round(at_s * RATE_HZ)] = 0.8
    plan = mashup_plan({"a/drums": [(0, 8)]})
    source = plan.sources["a/drums"].model_copy(update={"beats_s": tuple(beats_s)})
    moving = plan.model_copy(update={"sources": {"a/drums": source}})
    out = rendered(moving, a__drums=Audio(samples, RATE_HZ))["a/drums"]
    found = torch.nonzero(out[0].abs() > 0.5)[:, 0]
    beats = torch.arange(32) * BAR // 4
    assert int((found[:, None] - beats).abs().min(dim=0).values.max()) <= RATE_HZ // 500


def test_half_time_plays_two_bars_in_one() -> None:
    plan = mashup_plan({"a/drums": [(0, 4)]})
    source = plan.sources["a/drums"].model_copy(update={"tempo_bpm": 240.0})
    double = with_clip(plan.model_copy(update={"sources": {"a/drums": source}}), 0, source_bars=8)
    out = rendered(double, a__drums=clicks(8, 240.0))["a/drums"]
    assert float(out[0, BAR // 2]) == pytest.approx(0.8)
    assert float(out[0, BAR // 8]) == pytest.approx(0.4)


def test_a_transposed_part_keeps_its_length_and_moves_its_pitch() -> None:
    plan = with_clip(mashup_plan({"a/other": [(0, 8)]}), 0, semitones=2)
    out = rendered(plan, a__other=tone(440.0))["a/other"]
    spectrum = torch.fft.rfft(out[0, 2 * BAR : 4 * BAR] * torch.hann_window(2 * BAR)).abs()
    assert float(spectrum.argmax()) / 4 == pytest.approx(440 * 2 ** (2 / 12), abs=0.5)


def test_two_fades_over_each_other_keep_power() -> None:
    out, into = (
        equal_power_fades(1_000, *fades, like=torch.zeros(1)) for fades in ((0, 1_000), (1_000, 0))
    )
    assert torch.allclose(out.square() + into.square(), torch.ones(1_000), atol=1e-5)
    plan = mashup_plan({"a/other": [(0, 6)], "b/other": [(2, 8)]})
    plan = with_clip(with_clip(plan, 0, fade_out_bars=4.0), 1, fade_in_bars=4.0)
    second = Audio(0.1 * torch.randn(2, 8 * BAR, generator=seeded(2)), RATE_HZ)
    both = rendered(plan, a__other=noise(), b__other=second)
    total = sum(both.values(), torch.zeros(2, 8 * BAR))
    powers = total.square().mean(0).view(32, -1).mean(1)
    assert float(10 * torch.log10(powers.max() / powers.min())) < 1.0


@pytest.mark.parametrize(
    ("parameter", "value", "hz", "change_db"),
    [
        ("gain_db", -6.0, 500.0, -6.0),
        ("bass_db", -30.0, 60.0, -29.0),
        ("bass_db", -30.0, 800.0, 0.0),
        ("low_pass_hz", 250.0, 1_000.0, -48.0),
        ("low_pass_hz", 20_000.0, 5_000.0, 0.0),
        ("high_pass_hz", 1_000.0, 250.0, -48.0),
    ],
)  # fmt: skip
def test_automation_moves_what_it_says_from_where_it_says(
    parameter: str, value: float, hz: float, change_db: float
) -> None:
    rest = {"gain_db": 0.0, "bass_db": 0.0, "low_pass_hz": 20_000.0, "high_pass_hz": 10.0}[
        parameter
    ]
    moved = {"parameter": parameter, "points": [[3.9, rest], [4.0, value]]}
    plan = mashup_plan({"a/other": [(0, 8)]})
    document = plan.as_dict()
    document["clips"][0]["automation"] = [moved]
    out = rendered(Plan.model_validate(document), a__other=tone(hz))["a/other"]
    powers = out.square().mean(0).view(8, -1).mean(1)
    assert float(10 * torch.log10(powers[1] / tone(hz).samples.square().mean())) == pytest.approx(
        0, abs=0.1
    )
    assert float(10 * torch.log10(powers[6] / powers[1])) == pytest.approx(change_db, abs=1.5)


def track(name: str, audio: Audio) -> Track:
    song, _, kind = name.partition("/")
    return Track(name, kind, song, audio, ())


def test_the_kick_pushes_the_bass_down_by_what_the_plan_says() -> None:
    kick = torch.zeros(2, 8 * BAR)
    at = torch.arange(RATE_HZ // 5) / RATE_HZ
    hit = 0.8 * torch.sin(2 * math.pi * 55 * at) * torch.exp(-12 * at)
    for beat in range(4, 32, 4):
        kick[:, beat * BAR // 4 : beat * BAR // 4 + len(hit)] = hit
    bass = tone(220.0)
    plan = mashup_plan({"a/drums": [(0, 8)], "a/bass": [(0, 8)]}, mix={"duck_db": 3.0})
    drums = track("a/drums", Audio(kick, RATE_HZ))
    ducked = mixed_down([drums, track("a/bass", bass)], plan)
    assert torch.equal(ducked[0].audio.samples, kick)

    def level_db(start: int) -> float:
        span = slice(start, start + RATE_HZ // 50)
        ratio = (
            ducked[1].audio.samples[:, span].square().sum() / bass.samples[:, span].square().sum()
        )
        return 10 * float(torch.log10(ratio))

    assert level_db(2 * BAR + RATE_HZ // 100) == pytest.approx(-3.0, abs=0.1)
    assert level_db(2 * BAR + BAR // 2) == pytest.approx(0, abs=0.05)


def test_instruments_make_room_for_consonants_while_a_voice_sings() -> None:
    voice = noise()
    voice.samples[:, : 4 * BAR] = 0
    plan = mashup_plan({"a/vocals": [(4, 8)], "b/other": [(0, 8)]}, mix={"pocket_db": 4.0})
    for hz, change_db in ((3_000.0, -4.0), (300.0, 0.0)):
        seated = mixed_down([track("a/vocals", voice), track("b/other", tone(hz))], plan)
        powers = seated[1].audio.samples.square().mean(0).view(8, -1).mean(1)
        assert float(10 * torch.log10(powers[6] / powers[1])) == pytest.approx(change_db, abs=0.1)


def test_voices_lose_what_lies_below_them_and_instruments_nothing() -> None:
    mix = Mix(vocal_high_pass_hz=100)
    low = tone(40.0)
    assert float(cleared(low, "vocals", mix).samples[:, BAR:-BAR].abs().max()) < 0.01
    assert cleared(low, "bass", mix) is low


def test_the_sum_is_softened_where_the_plan_says() -> None:
    plan = mashup_plan({"a/other": [(0, 8)]}, mix={"tone_low_pass_hz": 6_000})
    soft = summed([track("a/other", tone(12_000.0))], plan)
    assert float(soft.samples[:, BAR:-BAR].abs().max()) < 0.02
    plain = mashup_plan({"a/other": [(0, 8)]})
    assert torch.equal(summed([track("a/other", noise())], plain).samples, noise().samples)


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
        "a/vocals": ("tensor",), "b/drums": ("as it was",), "b/other": ("as it was",)
    }  # fmt: skip
    for name in ("a", "b"):
        make_mashup(plan, sounds, tmp_path / f"{name}.wav", EncodeOptions("wav"))
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_an_engine_that_a_clip_names_is_taken() -> None:
    plan, sounds = small_plan()
    named = with_clip(plan, 0, semitones=1.0, engine="signalsmith")
    assert render_mix(named, sounds).engines["a/vocals"] == ("signalsmith",)
    with pytest.raises(InvalidInput, match="engine: 'tape' is none of auto, tensor"):
        render_mix(with_clip(plan, 0, engine="tape"), sounds)


def test_a_file_that_is_not_the_one_of_the_plan_is_named(tmp_path: Path) -> None:
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


def test_a_page_tells_of_a_mashup(tmp_path: Path) -> None:
    plan, sounds = small_plan()
    result = make_mashup(plan, sounds, tmp_path / "a.mp3", EncodeOptions("mp3"))
    page = MixPage("<i>Night</i>", result.plan, result.master.played, result.report, {"mix": 1.0})
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


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_plays_what_the_cpu_plays() -> None:
    plan, sounds = small_plan()
    here, there = render_mix(plan, sounds), render_mix(plan, sounds, device="cuda")
    error = (here.mix.samples - there.mix.samples.cpu()).square().mean()
    assert float(10 * torch.log10(error / here.mix.samples.square().mean())) < -50
