"""Rendering of clips to tracks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch

from mashup_worker.audio.signal import Audio
from mashup_worker.dsp.stretch.choose import choose_engine
from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.plan import Plan
from mashup_worker.mixing.render.time_stretch import StretchedSpans
from mashup_worker.mixing.render.tracks import equal_power_fades, render_tracks
from tests.unit.mashups import mashup_plan, seeded
from tests.unit.mixing.render.sounds import BAR, EDGE, RATE_HZ, clicks, noise, tone, with_clip

if TYPE_CHECKING:
    from mashup_worker.dsp.stretch.engine import StretchEngine


def rendered(plan: Plan, **sounds: Audio) -> dict[str, torch.Tensor]:
    by_name = {name.replace("__", "/"): sound for name, sound in sounds.items()}
    return {
        track.name: track.audio.samples for track in render_tracks(plan, by_name, choose_engine)
    }


def test_unchanged_clips_are_copied_sample_by_sample() -> None:
    plan = mashup_plan({"a/drums": [(0, 8)]})
    out = rendered(plan, a__drums=clicks())["a/drums"]
    whole = clicks().samples
    assert torch.equal(out[:, :-EDGE], whole[:, :-EDGE])


def test_a_track_is_silent_outside_its_clips() -> None:
    plan = mashup_plan({"a/drums": [(0, 8)], "b/other": [(2, 4)]})
    out = rendered(plan, a__drums=clicks(), b__other=noise())["b/other"]
    assert not out[:, : 2 * BAR - EDGE].any()
    assert not out[:, 4 * BAR :].any()
    assert out[:, 2 * BAR : 4 * BAR].any()


def test_an_attack_on_the_bar_line_keeps_its_level() -> None:
    plan = mashup_plan({"a/drums": [(2, 4)]})
    out = rendered(plan, a__drums=clicks())["a/drums"]
    assert float(out[0, 2 * BAR]) == pytest.approx(0.8)


@pytest.mark.parametrize("tempo_bpm", [104.0, 118.0, 125.0, 140.0])
def test_stretched_beats_coincide_with_those_of_the_mashup(tempo_bpm: float) -> None:
    plan = mashup_plan({"a/drums": [(0, 8)]})
    sources = {"a/drums": plan.sources["a/drums"].model_copy(update={"tempo_bpm": tempo_bpm})}
    out = rendered(plan.model_copy(update={"sources": sources}), a__drums=clicks(8, tempo_bpm))[
        "a/drums"
    ]
    found = torch.nonzero(out[0].abs() > 0.3)[:, 0]
    beats = torch.arange(32) * BAR // 4
    nearest = (found[:, None] - beats).abs().min(dim=0).values
    assert int(nearest.max()) <= 2


def test_songs_before_and_after_a_change_of_tempo_keep_theirs() -> None:
    grid = {"tempo_bpm": 120.0, "beats_per_bar": 4, "bars": 8, "tempo_changes": [[4, 96.0]]}
    plan = mashup_plan({"a/drums": [(0, 4)], "b/drums": [(4, 8)]}, grid=grid)
    slow = plan.sources["b/drums"].model_copy(update={"tempo_bpm": 96.0})
    clips = (plan.clips[0], plan.clips[1].model_copy(update={"from_bar": 2.0}))
    changed = {"sources": {**plan.sources, "b/drums": slow}, "clips": clips}
    out = rendered(plan.model_copy(update=changed), a__drums=clicks(8), b__drums=clicks(8, 96.0))
    for name, expected in (
        ("a/drums", torch.arange(16) * BAR // 4),
        ("b/drums", 4 * BAR + torch.arange(16) * (BAR * 5 // 4) // 4),
    ):
        found = torch.nonzero(out[name][0].abs() > 0.3)[:, 0]
        assert int((found[:, None] - expected).abs().min(dim=0).values.max()) <= 2
        assert int((found[:, None] - expected).abs().min(dim=1).values.max()) <= 2 + EDGE


def test_a_variable_tempo_is_warped_beat_by_beat() -> None:
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


def test_half_time_plays_two_bars_of_the_source_in_one() -> None:
    plan = mashup_plan({"a/drums": [(0, 4)]})
    source = plan.sources["a/drums"].model_copy(update={"tempo_bpm": 240.0})
    double = with_clip(plan.model_copy(update={"sources": {"a/drums": source}}), 0, source_bars=8)
    out = rendered(double, a__drums=clicks(8, 240.0))["a/drums"]
    assert float(out[0, BAR // 2]) == pytest.approx(0.8)
    assert float(out[0, BAR // 8]) == pytest.approx(0.4)


def test_a_transposed_clip_keeps_its_length() -> None:
    plan = with_clip(mashup_plan({"a/other": [(0, 8)]}), 0, semitones=2)
    out = rendered(plan, a__other=tone(440.0))["a/other"]
    spectrum = torch.fft.rfft(out[0, 2 * BAR : 4 * BAR] * torch.hann_window(2 * BAR)).abs()
    assert float(spectrum.argmax()) / 4 == pytest.approx(440 * 2 ** (2 / 12), abs=0.5)


def test_overlapping_fades_keep_the_power() -> None:
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
def test_automation_changes_its_parameter_from_its_bar_on(
    parameter: str, value: float, hz: float, change_db: float
) -> None:
    rest = {"gain_db": 0.0, "bass_db": 0.0, "low_pass_hz": 20_000.0, "high_pass_hz": 10.0}[
        parameter
    ]
    curve = {"parameter": parameter, "points": [[3.9, rest], [4.0, value]]}
    plan = mashup_plan({"a/other": [(0, 8)]})
    document = plan.as_dict()
    document["clips"][0]["automation"] = [curve]
    out = rendered(Plan.model_validate(document), a__other=tone(hz))["a/other"]
    powers = out.square().mean(0).view(8, -1).mean(1)
    assert float(10 * torch.log10(powers[1] / tone(hz).samples.square().mean())) == pytest.approx(
        0, abs=0.1
    )
    assert float(10 * torch.log10(powers[6] / powers[1])) == pytest.approx(change_db, abs=1.5)


def test_a_clip_outside_its_source_is_refused() -> None:
    plan = with_clip(mashup_plan({"a/drums": [(0, 4)]}), 0, from_bar=20.0)
    with pytest.raises(
        InvalidInput, match=r"clips\.0\.from_bar: bars 20 to 24 are outside a/drums"
    ):
        rendered(plan, a__drums=clicks())


def test_only_what_a_correction_changed_is_stretched_again() -> None:
    plan = with_clip(
        mashup_plan({"a/vocals": [(0, 2)], "b/other": [(0, 4)]}, bars=4), 0, semitones=1.0
    )
    plan = with_clip(plan, 1, semitones=-1.0)
    sounds = {"a/vocals": noise(4), "b/other": tone(330.0, 4)}
    chosen: list[str] = []

    def choose(name: str, kind: str) -> StretchEngine:
        chosen.append(kind)
        return choose_engine(name, kind)

    moved = plan.sources["a/vocals"].model_copy(update={"first_downbeat_s": 0.01})
    faded = with_clip(with_clip(plan, 0, gain_db=-3.0), 1, fade_in_bars=1.0)
    later = with_clip(faded, 1, from_bar=1.0, bars=2.0)
    changes = {
        "first": (plan, ["other", "vocals"]),
        "gain and fade": (faded, []),
        "moved source": (
            faded.model_copy(update={"sources": {**plan.sources, "a/vocals": moved}}),
            ["vocals"],
        ),
        "other bars": (later, ["other", "vocals"]),  # the source has moved back
        "filter": (
            later.model_copy(
                update={"mix": later.mix.model_copy(update={"vocal_high_pass_hz": 150.0})}
            ),
            ["other", "vocals"],
        ),
    }
    spans = StretchedSpans()
    for name, (changed, stretched) in changes.items():
        chosen.clear()
        again = render_tracks(changed, sounds, choose, stretched=spans)
        assert sorted(chosen) == stretched, name
        for track, fresh in zip(again, render_tracks(changed, sounds, choose_engine), strict=True):
            assert torch.equal(track.audio.samples, fresh.audio.samples), name
            assert track.engines == fresh.engines
