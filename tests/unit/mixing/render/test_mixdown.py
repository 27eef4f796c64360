"""Ducking, filters and the sum of tracks."""

from __future__ import annotations

import math

import pytest
import torch

from mashup_worker.audio.signal import Audio
from mashup_worker.mixing.plan import MixSettings
from mashup_worker.mixing.render.mixdown import duck_tracks, high_pass_vocals, sum_tracks
from mashup_worker.mixing.render.tracks import RenderedTrack
from tests.unit.mashups import mashup_plan
from tests.unit.mixing.render.sounds import BAR, RATE_HZ, noise, tone


def track(name: str, audio: Audio) -> RenderedTrack:
    song, _, kind = name.partition("/")
    return RenderedTrack(name=name, kind=kind, song=song, audio=audio, engines=())


def test_a_kick_ducks_the_bass() -> None:
    kick = torch.zeros(2, 8 * BAR)
    at = torch.arange(RATE_HZ // 5) / RATE_HZ
    hit = 0.8 * torch.sin(2 * math.pi * 55 * at) * torch.exp(-12 * at)
    for beat in range(4, 32, 4):
        kick[:, beat * BAR // 4 : beat * BAR // 4 + len(hit)] = hit
    bass = tone(220.0)
    plan = mashup_plan({"a/drums": [(0, 8)], "a/bass": [(0, 8)]}, mix={"duck_db": 3.0})
    drums = track("a/drums", Audio(kick, RATE_HZ))
    ducked = duck_tracks([drums, track("a/bass", bass)], plan)
    assert torch.equal(ducked[0].audio.samples, kick)

    def level_db(start: int) -> float:
        span = slice(start, start + RATE_HZ // 50)
        ratio = (
            ducked[1].audio.samples[:, span].square().sum() / bass.samples[:, span].square().sum()
        )
        return 10 * float(torch.log10(ratio))

    assert level_db(2 * BAR + RATE_HZ // 100) == pytest.approx(-3.0, abs=0.1)
    assert level_db(2 * BAR + BAR // 2) == pytest.approx(0, abs=0.05)


def test_instruments_dip_in_the_range_of_consonants_while_vocals_sing() -> None:
    voice = noise()
    voice.samples[:, : 4 * BAR] = 0
    plan = mashup_plan({"a/vocals": [(4, 8)], "b/other": [(0, 8)]}, mix={"vocal_dip_db": 4.0})
    for hz, change_db in ((3_000.0, -4.0), (300.0, 0.0)):
        ducked = duck_tracks([track("a/vocals", voice), track("b/other", tone(hz))], plan)
        powers = ducked[1].audio.samples.square().mean(0).view(8, -1).mean(1)
        assert float(10 * torch.log10(powers[6] / powers[1])) == pytest.approx(change_db, abs=0.1)


def test_the_high_pass_filter_applies_to_vocals_only() -> None:
    mix = MixSettings(vocal_high_pass_hz=100)
    low = tone(40.0)
    assert float(high_pass_vocals(low, "vocals", mix).samples[:, BAR:-BAR].abs().max()) < 0.01
    assert high_pass_vocals(low, "bass", mix) is low


def test_the_sum_passes_the_low_pass_filter_of_the_plan() -> None:
    plan = mashup_plan({"a/other": [(0, 8)]}, mix={"tone_low_pass_hz": 6_000})
    soft = sum_tracks([track("a/other", tone(12_000.0))], plan)
    assert float(soft.samples[:, BAR:-BAR].abs().max()) < 0.02
    plain = mashup_plan({"a/other": [(0, 8)]})
    assert torch.equal(sum_tracks([track("a/other", noise())], plain).samples, noise().samples)
