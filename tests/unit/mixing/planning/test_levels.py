"""Gains of clips, and their automation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mashup_worker.audio.signal import Audio
from mashup_worker.mixing.planning.levels import mean_power, power_to_db
from mashup_worker.mixing.planning.planner import plan_layer
from mashup_worker.mixing.request import MixRequest
from mashup_worker.mixing.song import LoudnessEnvelope
from mashup_worker.mixing.vibes import VIBES
from tests.unit.mixing.planning.songs import backing_song, vocal_song


@pytest.mark.parametrize("gain", [0.1, 1.0, 8.0])
def test_vocals_of_any_level_are_lifted_above_the_instruments(gain: float) -> None:
    stem = vocal_song().stems["vocals"]
    audio = Audio(gain * stem.audio.samples, stem.audio.sample_rate)
    scaled = replace(stem, audio=audio, envelope=LoudnessEnvelope.of(audio))
    lead = replace(vocal_song(), stems={**vocal_song().stems, "vocals": scaled})
    songs = {"lead": lead, "band": backing_song()}
    plan = plan_layer(lead, [backing_song()], MixRequest(vibe="hype"))
    vocals = [clip for clip in plan.clips if clip.source == "lead/vocals"]
    rest = [clip for clip in plan.clips if clip.source != "lead/vocals"]
    span = vocals[0].at_bar + 1, vocals[0].end_bar - 1
    lift = power_to_db(mean_power(vocals, songs, span)) - power_to_db(mean_power(rest, songs, span))
    assert lift == pytest.approx(VIBES["hype"].vocal_lift_lu.at(0.5), abs=0.7)


def test_gains_rise_where_few_stems_play() -> None:
    request = MixRequest(vibe="ambient", intensity=0.0)
    plan = plan_layer(vocal_song(), [backing_song()], request)
    intro = [clip for clip in plan.clips if clip.at_bar == 0]
    curves = [one for clip in intro for one in clip.automation if one.parameter == "gain_db"]
    assert curves
    assert curves[0].points[0][1] > 1
