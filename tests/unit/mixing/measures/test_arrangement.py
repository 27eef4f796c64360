"""Parts that leave each other room, and parts that do not."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch

from mashup_worker.audio.signal import Audio
from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.measures.arrangement import one_bass, one_voice, outside_clips, voice_lift
from mashup_worker.mixing.measures.tracks import StemTrack, by_song, check_tracks, together
from mashup_worker.mixing.song import Levels
from tests.unit.mashups import mashup_plan

if TYPE_CHECKING:
    from mashup_worker.mixing.measures.report import Measurement

RATE_HZ = 22_050
BAR_S = 2.0


def held(hz: float, between: tuple[float, float], amplitude: float = 0.3) -> torch.Tensor:
    """A tone between two bars of eight."""
    time_s = torch.arange(round(8 * BAR_S * RATE_HZ)) / RATE_HZ
    inside = (time_s >= between[0] * BAR_S) & (time_s < between[1] * BAR_S)
    wave = torch.sin(2 * math.pi * hz * time_s) + 0.4 * torch.sin(4 * math.pi * hz * time_s)
    return (amplitude * wave * inside)[None]


def track(name: str, samples: torch.Tensor) -> StemTrack:
    song, _, kind = name.partition("/")
    return StemTrack(name, kind, song, Audio(samples, RATE_HZ))


PLAN = mashup_plan({"a/vocals": [(2.0, 4.0), (6.0, 8.0)], "b/drums": [(0.0, 8.0)]})


def test_a_stem_is_silent_outside_its_clips() -> None:
    stem = held(300, (2, 4)) + held(300, (6, 8))
    found = outside_clips(track("a/vocals", stem), PLAN)
    assert (found.passed, found.value) == (True, -math.inf)
    assert outside_clips(track("b/drums", held(300, (0, 8))), PLAN).passed is True


@pytest.mark.parametrize("at_bar", [0.0, 1.9, 4.1, 5.98])
def test_a_leak_outside_the_clips_is_found(at_bar: float) -> None:
    stem = held(300, (2, 4)) + held(300, (at_bar, at_bar + 0.005), 0.001)
    found = outside_clips(track("a/vocals", stem), PLAN)
    assert found.passed is False
    assert found.value == pytest.approx(-59, abs=6)
    assert float(found.detail.split()[1]) == pytest.approx(at_bar * BAR_S, abs=0.02)


def test_edges_may_come_in_a_little_early() -> None:
    stem = held(300, (2 - 0.0025, 4 + 0.0002))
    assert outside_clips(track("a/vocals", stem), PLAN).passed is True


def test_a_stem_that_is_in_no_plan_is_to_be_silent() -> None:
    assert outside_clips(track("c/bass", held(300, (1, 2))), PLAN).passed is False
    assert outside_clips(track("c/bass", torch.zeros(1, 0)), PLAN).passed is True


def levels(samples: torch.Tensor) -> Levels:
    return Levels.of(Audio(samples, RATE_HZ))


@pytest.mark.parametrize(("gain_db", "passed"), [(2, True), (0, True), (-3, False), (7, False)])
def test_the_voice_lies_a_little_above_the_rest(gain_db: float, passed: bool) -> None:
    """The rest is louder where nobody sings, which does not count."""
    voice = held(440, (2, 4), 0.2 * 10 ** (gain_db / 20))
    rest = held(440, (0, 8), 0.2) + held(440, (5, 8), 0.5)
    found = voice_lift(levels(voice), levels(rest), judged=True)
    assert found.value == pytest.approx(gain_db, abs=0.5)
    assert found.passed is passed
    assert voice_lift(levels(voice), levels(rest), judged=False).passed is None


def test_without_voice_or_rest_nothing_lies_above() -> None:
    some, none = levels(held(440, (2, 4))), levels(torch.zeros(1, RATE_HZ))
    pairs = ((None, some), (some, None), (none, some), (some, none), (some, levels(some_short())))
    for voice, rest in pairs:
        assert voice_lift(voice, rest, judged=True).passed is None


def some_short() -> torch.Tensor:
    return torch.zeros(1, 1)


def basses(*tracks: StemTrack) -> Measurement:
    return one_bass(by_song(tracks))


def test_basses_that_swap_on_a_downbeat_pass() -> None:
    found = basses(track("a/bass", held(55, (0, 4))), track("b/bass", held(62, (4, 8))))
    assert found.passed is True


def test_two_basses_at_once_fail() -> None:
    found = basses(track("a/bass", held(55, (0, 5))), track("b/bass", held(62, (3, 8), 0.15)))
    assert found.passed is False
    assert found.value == pytest.approx(4, abs=0.3)
    assert "at 6.0 s" in found.detail or "at 5.9 s" in found.detail


def test_a_bass_in_another_stem_is_one_too() -> None:
    found = basses(track("a/bass", held(55, (0, 8))), track("b/no_vocals", held(62, (2, 6))))
    assert found.passed is False


def test_a_faint_or_high_second_bass_passes() -> None:
    bass = track("a/bass", held(55, (0, 8)))
    assert basses(bass, track("b/bass", held(62, (0, 8), 0.05))).passed is True
    assert basses(bass, track("b/other", held(330, (0, 8)))).passed is True
    assert basses(bass, track("b/drums", held(62, (0, 8)))).passed is True
    assert basses(bass, track("b/vocals", held(110, (0, 8)))).passed is True
    assert basses(bass, track("a/other", held(62, (0, 8)))).passed is True


def test_no_basses_are_not_judged() -> None:
    assert basses(track("a/drums", held(55, (0, 8)))).passed is None
    assert basses().passed is None
    assert basses(track("a/bass", torch.zeros(1, 0)), track("b/bass", some_short())).passed is True


def test_voices_in_turn_pass_and_together_fail() -> None:
    first, second = levels(held(440, (0, 4))), levels(held(330, (4, 8)))
    assert one_voice({"a": first, "b": second}, allowed=False).passed is True
    over = levels(held(330, (3, 8)))
    found = one_voice({"a": first, "b": over}, allowed=False)
    assert found.passed is False
    assert found.value == pytest.approx(2, abs=0.4)
    assert one_voice({"a": first, "b": over}, allowed=True).passed is None


def test_one_voice_or_none_is_not_two() -> None:
    assert one_voice({"a": levels(held(440, (0, 4)))}, allowed=False).passed is True
    assert one_voice({}, allowed=False).passed is None
    silent = levels(torch.zeros(1, RATE_HZ))
    assert one_voice({"a": silent, "b": silent}, allowed=False).passed is True


def test_tracks_of_different_channels_and_lengths_add_up() -> None:
    mono, stereo = torch.ones(1, 3), torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    total = together([track("a/bass", mono), track("b/other", stereo)])
    assert total is not None
    assert total.samples.tolist() == [[2, 3, 1], [4, 5, 1]]
    assert together([]) is None


def test_tracks_that_can_not_be_added_are_refused() -> None:
    other_rate = StemTrack("b/bass", "bass", "b", Audio(torch.zeros(1, 5), 48_000))
    with pytest.raises(InvalidInput, match=r"one sample rate.*b/bass 48000 Hz"):
        check_tracks([track("a/bass", torch.zeros(1, 5)), other_rate])
    with pytest.raises(InvalidInput, match="a/bass is there twice"):
        check_tracks([track("a/bass", torch.zeros(1, 5))] * 2)
