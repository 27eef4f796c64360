"""Tempo, beats and bars of music whose beats are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mir_eval
import numpy as np
import pytest
import torch

from mashup_worker.analysis.result import BEATS_PER_BAR, AnalysisOptions
from mashup_worker.audio.signal import Audio
from mashup_worker.pipelines.analysis import steps
from tests.unit.music import RATE_HZ, beats_along, click, drums, even_beats, harmony, placed, song

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mashup_worker.analysis.rhythm import Rhythm
    from tests.unit.music import Times

    Array = NDArray[np.float64]


def rhythm(audio: Audio, **known: object) -> Rhythm:
    got = steps.rhythm(audio, AnalysisOptions(**known))  # type: ignore[arg-type]
    consistent(got)
    return got


def consistent(got: Rhythm) -> None:
    """What holds of every rhythm."""
    beats, bars = np.array(got.beats_s), np.array(got.downbeats_s)
    assert (np.diff(beats) > 0).all()
    assert set(got.downbeats_s) <= set(got.beats_s)
    assert 0 <= got.confidence <= 1
    if got.tempo_bpm is None:
        return
    assert got.beats_per_bar in BEATS_PER_BAR
    assert got.candidates[0].tempo_bpm == pytest.approx(got.tempo_bpm, rel=0.02)
    scores = [one.score for one in got.candidates]
    assert sum(scores) <= 1 + 1e-6
    for stretch in got.stretches:
        inside = bars[(bars >= stretch.start_s) & (bars <= stretch.stop_s)]
        assert (np.diff(np.searchsorted(beats, inside)) == stretch.beats_per_bar).all()


def f_measure(true_s: Sequence[float] | Array, found_s: Sequence[float] | Array) -> float:
    true, found = np.asarray(true_s), np.asarray(found_s)
    inside = found[(found > true[0] - 0.2) & (found < true[-1] + 0.2)]
    return float(mir_eval.beat.f_measure(true, inside)) if len(inside) else 0.0


@pytest.mark.parametrize("tempo_bpm", [76.0, 92.5, 104.0, 118.3, 128.0, 140.0, 165.0])
def test_four_four(tempo_bpm: float) -> None:
    beats_s = even_beats(tempo_bpm, 40)
    got = rhythm(song(beats_s, 40))
    assert got.tempo_bpm == pytest.approx(tempo_bpm, abs=0.02)
    assert got.stable
    assert got.beats_per_bar == 4
    assert f_measure(beats_s, got.beats_s) > 0.97
    assert f_measure(beats_s[::4], got.downbeats_s) > 0.9


@pytest.mark.parametrize("tempo_bpm", [80.0, 100.0, 112.0, 120.0, 128.0])
def test_beats_are_neither_early_nor_late(tempo_bpm: float) -> None:
    beats_s = even_beats(tempo_bpm, 30)
    found = np.array(rhythm(song(beats_s, 30)).beats_s)
    off = [found[np.abs(found - beat_s).argmin()] - beat_s for beat_s in beats_s]
    assert abs(float(np.median(off))) < 0.010


@pytest.mark.parametrize("tempo_bpm", [90.0, 100.0, 120.0, 128.0])
def test_a_drum_loop_has_its_beats_on_kicks_and_snares(tempo_bpm: float) -> None:
    beats_s = even_beats(tempo_bpm, 30)
    room = 0.003 * torch.randn(30 * RATE_HZ, generator=torch.Generator().manual_seed(3))
    got = rhythm(Audio((drums(beats_s, 4, 30) + room)[None], RATE_HZ))
    assert got.tempo_bpm == pytest.approx(tempo_bpm, abs=0.02)
    assert f_measure(beats_s, got.beats_s) > 0.95


@pytest.mark.parametrize("tempo_bpm", [100.0, 132.0, 156.0])
def test_a_waltz_has_bars_of_three(tempo_bpm: float) -> None:
    beats_s = even_beats(tempo_bpm, 40)
    got = rhythm(song(beats_s, 40, beats_per_bar=3))
    assert got.tempo_bpm == pytest.approx(tempo_bpm, abs=0.02)
    assert got.beats_per_bar == 3
    assert f_measure(beats_s[::3], got.downbeats_s) > 0.9


CHANGING = {
    "step": [100.0] * 45 + [108.0] * 51,
    "leap": [100.0] * 45 + [120.0] * 55,
    "accelerando": np.linspace(95, 125, 96).tolist(),
    "ritardando": np.linspace(140, 110, 112).tolist(),
    "swaying": (110 + 6 * np.sin(np.arange(112) / 9)).tolist(),
}


@pytest.mark.parametrize("kind", CHANGING)
def test_a_tempo_that_changes_is_not_stable_and_beats_follow(kind: str) -> None:
    tempi = CHANGING[kind]
    beats_s = beats_along(tempi)
    # The hint leaves the metrical level out of this.
    middle_bpm = float(np.median(tempi))
    got = rhythm(song(beats_s, float(beats_s[-1]) + 0.6), tempo_hint_bpm=middle_bpm)
    assert got.stable is False
    assert f_measure(beats_s, got.beats_s) >= 0.9
    assert got.tempo_bpm is not None
    assert min(tempi) <= got.tempo_bpm <= max(tempi)


@pytest.mark.parametrize("tempo_bpm", [84.0, 100.0, 118.0])
def test_loose_playing_around_one_tempo_is_stable(tempo_bpm: float) -> None:
    even = even_beats(tempo_bpm, 60)
    stray = np.zeros(len(even))
    noise = np.random.default_rng(5).normal(0, 0.008, len(even))
    for i in range(1, len(even)):  # beats come back to the tempo within some beats
        stray[i] = 0.9 * stray[i - 1] + noise[i]
    beats_s = np.sort(even + stray)
    got = rhythm(song(beats_s, 60))
    assert got.stable
    assert got.tempo_bpm == pytest.approx(tempo_bpm, rel=0.003)
    assert f_measure(beats_s, got.beats_s) > 0.97


def with_jump(tempi_bpm: tuple[float, float], pause_beats: float) -> tuple[Times, float]:
    """Beats of two steady halves, the second begun some beats after the first ended."""
    first = 0.3 + np.arange(40) * 60 / tempi_bpm[0]
    second = first[-1] + pause_beats * 60 / tempi_bpm[0] + np.arange(44) * 60 / tempi_bpm[1]
    return np.concatenate([first, second]), float(second[0])


@pytest.mark.parametrize("tempi_bpm", [(100.0, 130.0), (120.0, 90.0), (104.0, 139.0)])
def test_each_stretch_has_its_own_tempo(tempi_bpm: tuple[float, float]) -> None:
    beats_s, changed_s = with_jump(tempi_bpm, 1.0)
    got = rhythm(song(beats_s, float(beats_s[-1]) + 0.6))
    assert got.stable is False
    assert [one.tempo_bpm for one in got.stretches] == pytest.approx(tempi_bpm, abs=0.1)
    assert got.stretches[1].start_s == pytest.approx(changed_s, abs=2)
    assert f_measure(beats_s, got.beats_s) > 0.95


def test_silence_at_the_end_does_not_make_a_stretch_the_longest() -> None:
    beats_s, _ = with_jump((100.0, 130.0), 1.0)
    end_s = float(beats_s[-1]) + 0.6
    sound = song(beats_s, end_s)
    silence = torch.zeros(1, 8 * sound.sample_rate)
    got = rhythm(Audio(torch.cat([sound.samples, silence], dim=1), sound.sample_rate))
    assert [one.tempo_bpm for one in got.stretches] == pytest.approx((100, 130), abs=0.1)
    assert got.tempo_bpm == got.stretches[0].tempo_bpm


@pytest.mark.parametrize("pause_beats", [1.3, 1.5, 2.5, 3.0, 3.7])
def test_beats_go_on_right_after_a_breath(pause_beats: float) -> None:
    beats_s, resumed_s = with_jump((116.0, 116.0), pause_beats)
    got = rhythm(song(beats_s, float(beats_s[-1]) + 0.6))
    assert got.stable is False
    assert got.tempo_bpm == pytest.approx(116, abs=0.05)
    assert len(got.stretches) == 2
    after = [at for at in got.beats_s if at > resumed_s - 0.1]
    assert f_measure(beats_s[40:], after) > 0.95
    bars = [at for at in got.downbeats_s if at > resumed_s - 0.1]
    assert f_measure(beats_s[40::4], bars) > 0.9


def test_a_break_without_drums_is_no_jump() -> None:
    beats_s = even_beats(112, 44)
    audio = song(beats_s, 44).samples
    chords = 0.4 * harmony(beats_s, 4, 44)
    start, stop = (round(float(beats_s[i]) * RATE_HZ) for i in (32, 48))
    audio[:, start:stop] = chords[start:stop]
    got = rhythm(Audio(audio, RATE_HZ))
    assert got.stable
    assert len(got.stretches) == 1


def test_silence_before_a_varying_tempo_keeps_its_median() -> None:
    beats_s = beats_along(CHANGING["accelerando"], start_s=60.0)
    got = rhythm(song(beats_s, float(beats_s[-1]) + 0.6), tempo_hint_bpm=110)
    assert got.tempo_bpm is not None
    assert 105 < got.tempo_bpm < 115


@pytest.mark.parametrize("tempo_bpm", [80.0, 124.0])
@pytest.mark.parametrize("times", [0.5, 1.0, 2.0])
def test_a_hint_picks_half_or_double(tempo_bpm: float, times: float) -> None:
    audio = song(even_beats(tempo_bpm, 30), 30)
    # A hint is a hint: 4 % off.
    hint_bpm = tempo_bpm * times * 1.04
    got = rhythm(audio, tempo_hint_bpm=hint_bpm, tempo_range_bpm=(30.0, 300.0))
    assert got.tempo_bpm == pytest.approx(tempo_bpm * times, abs=0.05)


RANGES = [(90.0, 100.0), (100.0, 110.0), (125.0, 130.0), (120.0, 128.0), (60.0, 64.0)]
RANGES += [(30.0, 40.0), (30.0, 33.0), (42.0, 50.0), (200.0, 300.0), (255.0, 300.0), (123.0, 123.9)]


@pytest.mark.parametrize("range_bpm", RANGES)
def test_no_tempo_lies_outside_its_range(range_bpm: tuple[float, float]) -> None:
    steady = song(even_beats(124, 30), 30)
    changing = beats_along(np.linspace(95, 125, 55).tolist())
    for audio in (steady, song(changing, float(changing[-1]) + 0.6)):
        got = rhythm(audio, tempo_range_bpm=range_bpm)
        named = [one.tempo_bpm for one in got.candidates]
        for bpm in [*named, *([] if got.tempo_bpm is None else [got.tempo_bpm])]:
            assert range_bpm[0] <= bpm <= range_bpm[1]
        if got.tempo_bpm is None:
            assert not got.beats_s + got.downbeats_s
            assert not got.candidates


@pytest.mark.parametrize("kind", ["accelerando", "ritardando", "swaying"])
def test_a_range_holds_between_candidate_and_median(kind: str) -> None:
    beats_s = beats_along(CHANGING[kind])
    audio = song(beats_s, float(beats_s[-1]) + 0.6)
    free = rhythm(audio)
    assert free.tempo_bpm is not None
    border_bpm = (free.tempo_bpm + free.candidates[0].tempo_bpm) / 2
    for range_bpm in ((55.0, border_bpm), (border_bpm, 200.0)):
        got = rhythm(audio, tempo_range_bpm=range_bpm)
        assert got.tempo_bpm is None or range_bpm[0] <= got.tempo_bpm <= range_bpm[1]


@pytest.mark.parametrize(("range_bpm", "wanted_bpm"), [((120, 128), 124), ((55, 70), 62)])
def test_a_range_around_the_tempo_finds_it(
    range_bpm: tuple[float, float], wanted_bpm: float
) -> None:
    got = rhythm(song(even_beats(124, 30), 30), tempo_range_bpm=range_bpm)
    assert got.tempo_bpm == pytest.approx(wanted_bpm, abs=0.02)


@pytest.mark.parametrize("forced", [3, 4, 5, 7])
@pytest.mark.parametrize("true", [3, 4])
def test_beats_per_bar_can_be_given(true: int, forced: int) -> None:
    got = rhythm(song(even_beats(120, 40), 40, beats_per_bar=true), beats_per_bar=forced)
    assert got.beats_per_bar == forced
    assert len(got.stretches) == 1
    assert len(got.downbeats_s) == pytest.approx(len(got.beats_s) / forced, abs=1)


@pytest.mark.parametrize("start_s", [5.0, 20.0, 40.0])
def test_leading_silence_changes_nothing(start_s: float) -> None:
    beats_s = even_beats(110, 30 + start_s, start_s)
    got = rhythm(song(beats_s, 30 + start_s))
    assert got.tempo_bpm == pytest.approx(110, abs=0.02)
    assert f_measure(beats_s, got.beats_s) > 0.95
    assert f_measure(beats_s[::4], got.downbeats_s) > 0.9


@pytest.mark.parametrize("tempo_bpm", [60.0, 120.0])
def test_a_metronome_has_its_tempo(tempo_bpm: float) -> None:
    beats_s = even_beats(tempo_bpm, 30)
    clicks = Audio(placed(click(), beats_s, 30, RATE_HZ)[None], RATE_HZ)
    got = rhythm(clicks, tempo_hint_bpm=tempo_bpm)
    assert got.tempo_bpm == pytest.approx(tempo_bpm, abs=0.02)
    assert f_measure(beats_s, got.beats_s) > 0.97


def test_clear_drums_have_more_confidence_than_noise() -> None:
    noise = torch.randn(1, 30 * RATE_HZ, generator=torch.Generator().manual_seed(1))
    unclear = rhythm(Audio(0.1 * noise, RATE_HZ))
    clear = rhythm(Audio(drums(even_beats(120, 30), 4, 30)[None], RATE_HZ))
    assert unclear.confidence < 0.3 < clear.confidence


@pytest.mark.parametrize("tempo_bpm", [90.0, 123.4, 140.0])
def test_two_bars_are_too_few_for_a_tempo_unless_it_is_hinted_at(tempo_bpm: float) -> None:
    duration_s = 8 * 60 / tempo_bpm
    loop = song(even_beats(tempo_bpm, duration_s, start_s=0.0), duration_s)
    assert rhythm(loop).tempo_bpm is None
    hinted = rhythm(loop, tempo_hint_bpm=tempo_bpm)
    assert hinted.tempo_bpm is None or hinted.tempo_bpm == pytest.approx(tempo_bpm, rel=0.02)
