"""Vocal level, overlaps, and sound outside of clips."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch

from mashup_worker.audio.signal import Audio
from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.measures.arrangement import (
    bass_overlap,
    outside_clips,
    vocal_lift,
    vocal_overlap,
)
from mashup_worker.mixing.measures.tracks import StemTrack, check_tracks, group_by_song, sum_stems
from mashup_worker.mixing.song import LoudnessEnvelope
from tests.unit.mashups import mashup_plan

if TYPE_CHECKING:
    from mashup_worker.mixing.measures.report import Measurement

RATE_HZ = 22_050
BAR_S = 2.0


def held(hz: float, between: tuple[float, float], amplitude: float = 0.3) -> torch.Tensor:
    """Return a tone between two bars of eight."""
    time_s = torch.arange(round(8 * BAR_S * RATE_HZ)) / RATE_HZ
    inside = (time_s >= between[0] * BAR_S) & (time_s < between[1] * BAR_S)
    wave = torch.sin(2 * math.pi * hz * time_s) + 0.4 * torch.sin(4 * math.pi * hz * time_s)
    return (amplitude * wave * inside)[None]


def track(name: str, samples: torch.Tensor) -> StemTrack:
    song, _, kind = name.partition("/")
    return StemTrack(name=name, kind=kind, song=song, audio=Audio(samples, RATE_HZ))


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


def test_edges_may_begin_early() -> None:
    stem = held(300, (2 - 0.0025, 4 + 0.0002))
    assert outside_clips(track("a/vocals", stem), PLAN).passed is True


def test_a_stem_without_clips_must_be_silent() -> None:
    assert outside_clips(track("c/bass", held(300, (1, 2))), PLAN).passed is False
    assert outside_clips(track("c/bass", torch.zeros(1, 0)), PLAN).passed is True


def envelope(samples: torch.Tensor) -> LoudnessEnvelope:
    return LoudnessEnvelope.of(Audio(samples, RATE_HZ))


@pytest.mark.parametrize(("gain_db", "passed"), [(2, True), (0, True), (-3, False), (7, False)])
def test_vocals_must_be_slightly_louder_than_the_rest(gain_db: float, passed: bool) -> None:
    """Louder accompaniment during rests of the vocals does not count."""
    voice = held(440, (2, 4), 0.2 * 10 ** (gain_db / 20))
    rest = held(440, (0, 8), 0.2) + held(440, (5, 8), 0.5)
    found = vocal_lift(envelope(voice), envelope(rest), judged=True)
    assert found.value == pytest.approx(gain_db, abs=0.5)
    assert found.passed is passed
    assert vocal_lift(envelope(voice), envelope(rest), judged=False).passed is None


def test_the_lift_is_not_judged_without_vocals_or_accompaniment() -> None:
    some, none = envelope(held(440, (2, 4))), envelope(torch.zeros(1, RATE_HZ))
    pairs = ((None, some), (some, None), (none, some), (some, none), (some, envelope(some_short())))
    for voice, rest in pairs:
        assert vocal_lift(voice, rest, judged=True).passed is None


def some_short() -> torch.Tensor:
    return torch.zeros(1, 1)


def basses(*tracks: StemTrack) -> Measurement:
    return bass_overlap(group_by_song(tracks))


def test_basses_that_swap_on_a_downbeat_pass() -> None:
    found = basses(track("a/bass", held(55, (0, 4))), track("b/bass", held(62, (4, 8))))
    assert found.passed is True


def test_two_basses_at_once_fail() -> None:
    found = basses(track("a/bass", held(55, (0, 5))), track("b/bass", held(62, (3, 8), 0.15)))
    assert found.passed is False
    assert found.value == pytest.approx(4, abs=0.3)
    assert "at 6.0 s" in found.detail or "at 5.9 s" in found.detail


def test_bass_in_any_pitched_stem_counts() -> None:
    found = basses(track("a/bass", held(55, (0, 8))), track("b/no_vocals", held(62, (2, 6))))
    assert found.passed is False


def test_a_faint_or_high_second_bass_passes() -> None:
    bass = track("a/bass", held(55, (0, 8)))
    assert basses(bass, track("b/bass", held(62, (0, 8), 0.05))).passed is True
    assert basses(bass, track("b/other", held(330, (0, 8)))).passed is True
    assert basses(bass, track("b/drums", held(62, (0, 8)))).passed is True
    assert basses(bass, track("b/vocals", held(110, (0, 8)))).passed is True
    assert basses(bass, track("a/other", held(62, (0, 8)))).passed is True


def test_songs_without_bass_are_not_judged() -> None:
    assert basses(track("a/drums", held(55, (0, 8)))).passed is None
    assert basses().passed is None
    assert basses(track("a/bass", torch.zeros(1, 0)), track("b/bass", some_short())).passed is True


def test_vocals_one_after_another_pass_and_together_fail() -> None:
    first, second = envelope(held(440, (0, 4))), envelope(held(330, (4, 8)))
    assert vocal_overlap({"a": first, "b": second}, allowed=False).passed is True
    over = envelope(held(330, (3, 8)))
    found = vocal_overlap({"a": first, "b": over}, allowed=False)
    assert found.passed is False
    assert found.value == pytest.approx(2, abs=0.4)
    assert vocal_overlap({"a": first, "b": over}, allowed=True).passed is None


def test_one_song_with_vocals_has_no_overlap() -> None:
    assert vocal_overlap({"a": envelope(held(440, (0, 4)))}, allowed=False).passed is True
    assert vocal_overlap({}, allowed=False).passed is None
    silent = envelope(torch.zeros(1, RATE_HZ))
    assert vocal_overlap({"a": silent, "b": silent}, allowed=False).passed is True


def test_tracks_of_different_channels_and_lengths_are_summed() -> None:
    mono, stereo = torch.ones(1, 3), torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    total = sum_stems([track("a/bass", mono), track("b/other", stereo)])
    assert total is not None
    assert total.samples.tolist() == [[2, 3, 1], [4, 5, 1]]
    assert sum_stems([]) is None


def test_different_sample_rates_and_equal_names_are_refused() -> None:
    other_rate = StemTrack(
        name="b/bass", kind="bass", song="b", audio=Audio(torch.zeros(1, 5), 48_000)
    )
    with pytest.raises(InvalidInput, match=r"sample rates.*b/bass 48000 Hz"):
        check_tracks([track("a/bass", torch.zeros(1, 5)), other_rate])
    with pytest.raises(InvalidInput, match="two are named a/bass"):
        check_tracks([track("a/bass", torch.zeros(1, 5))] * 2)
