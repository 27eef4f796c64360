from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from scipy.signal import find_peaks

from benchmarks.corpus.bandstand import census, draw, generate
from benchmarks.corpus.bandstand.harmony import chord, home, key_name, loops
from benchmarks.corpus.bandstand.lines import LOWEST_BASS
from benchmarks.corpus.bandstand.styles import STYLES
from benchmarks.corpus.bandstand.voices import VOICES, Sampler
from benchmarks.corpus.scores import score, summaries, summary
from benchmarks.corpus.song import Truth

if TYPE_CHECKING:
    from benchmarks.corpus.bandstand.plan import Plan
    from benchmarks.corpus.scores import SongScore
    from benchmarks.corpus.song import Song

RENDERED = 2029
"""Seed of a song with drums and bass whose eighths and sixteenths are straight."""
TRUTH = Truth(
    tempo_bpm=120.0,
    beats_s=tuple(1.3 + 0.5 * index for index in range(80)),
    downbeats_s=tuple(1.3 + 2.0 * index for index in range(20)),
    beats_per_bar=4,
    key="C# minor",
    tuning_cents=-40.0,
    has_drums=True,
    style="rock",
)
BEATS = np.array(TRUTH.beats_s)
DOWNBEATS = np.array(TRUTH.downbeats_s)


@pytest.fixture(scope="module")
def plans() -> list[Plan]:
    return [draw(seed) for seed in range(2000, 2060)]


@pytest.fixture(scope="module")
def song() -> Song:
    return generate(RENDERED)


def judge(**estimates: Any) -> SongScore:
    perfect: dict[str, Any] = {
        "tempo_bpm": 120.0,
        "beats_s": BEATS,
        "downbeats_s": DOWNBEATS,
        "beats_per_bar": 4,
        "key": "C# minor",
        "tuning_cents": -40.0,
    }
    return score(TRUTH, **(perfect | estimates))


def test_songs_differ_in_all_that_an_analysis_must_cope_with(plans: list[Plan]) -> None:
    shares = census(plans)
    assert 0.6 < shares["drums"] < 0.9
    assert 0.1 < shares["three"] < 0.35
    assert 0.35 < shares["minor"] < 0.65
    assert 0.35 < shares["detuned"] < 0.65
    assert 0.6 < shares["bass"] < 0.95
    for name in ("pickup", "late start", "swing", "break", "lead", "pump", "reverb"):
        assert 0.0 < shares[name] < 1.0
    assert {f"tonic: {tonic}" for tonic in range(12)} <= set(shares)
    assert sum(name.startswith("style: ") for name in shares) > 0.8 * len(STYLES)


def test_tempos_range_from_slow_to_fast_and_fit_their_style(plans: list[Plan]) -> None:
    tempos = [plan.truth.tempo_bpm for plan in plans]
    assert min(tempos) < 75
    assert max(tempos) > 160
    for plan in plans:
        slowest, fastest = plan.form.style.tempo_bpm
        assert slowest <= plan.truth.tempo_bpm <= fastest
        assert 40 <= plan.duration_s <= 60


def test_beats_are_even_and_bars_begin_on_them(plans: list[Plan]) -> None:
    for truth in [plan.truth for plan in plans]:
        np.testing.assert_allclose(np.diff(truth.beats_s), 60 / truth.tempo_bpm, atol=1e-9)
        bar_s = truth.beats_per_bar * 60 / truth.tempo_bpm
        np.testing.assert_allclose(np.diff(truth.downbeats_s), bar_s, atol=1e-9)
        assert set(truth.downbeats_s) <= set(truth.beats_s)
        assert len(truth.downbeats_s) >= 8


def test_nothing_is_played_outside_the_true_span_nor_far_from_the_sixteenths(
    plans: list[Plan],
) -> None:
    for plan in plans:
        truth, beat_s = plan.truth, 60 / plan.truth.tempo_bpm
        struck = np.array([strike.at_s for strike in plan.strikes])
        notes = [note.at_s for part in plan.parts for note in part.notes]
        onsets = np.concatenate((struck, notes))
        assert truth.beats_s[0] - beat_s < onsets.min() + 0.011
        assert onsets.max() < truth.beats_s[-1] + beat_s + 0.011
        if len(struck) and plan.form.swing8 == plan.form.swing16 == 0.5:
            sixteenths = (struck - truth.beats_s[0]) / beat_s * 4
            off_s = np.abs(sixteenths - sixteenths.round()) * beat_s / 4
            assert 0.0 < off_s.max() <= plan.loose_s + 1e-9 <= 0.0101


def test_the_harmony_ends_on_the_tonic(plans: list[Plan]) -> None:
    for plan in plans:
        last_bar_s = plan.form.grid_s(plan.form.bars * plan.form.beats_per_bar) - 0.02
        tonic_chord = {(plan.form.tonic + cls) % 12 for cls in home(plan.form.mode).classes}
        notes = [n for part in plan.parts for n in part.notes if n.at_s > last_bar_s]
        assert {note.midi % 12 for note in notes} <= tonic_chord
        assert plan.form.tonic in {note.midi % 12 for note in notes}
        for part in plan.parts:
            if part.name == "bass":
                assert min(note.midi for note in part.notes) >= LOWEST_BASS - 6


def test_numerals_become_chords_and_no_loop_leaves_its_tonic_for_long() -> None:
    assert chord("bVII").classes == (10, 2, 5)
    assert chord("ii7").classes == (2, 5, 9, 0)
    assert chord("VI7").classes == (9, 1, 4, 7)
    assert chord("iim7b5").classes == (2, 5, 8, 0)
    with pytest.raises(ValueError, match="not a chord"):
        chord("H7")
    assert key_name(8, "minor") == "G# minor"
    for mode in ("major", "minor"):
        for flavour in ("pop", "rock", "soul", "folk"):
            for loop in loops(mode, flavour):
                assert 0 in [item.root for item in loop]


def test_a_sampled_note_has_its_pitch_whatever_note_it_was_made_from() -> None:
    sampler = Sampler(VOICES["organ"], np.random.default_rng(0), tuning_cents=30.0)
    for midi in (58, 59, 60, 61):
        tone = sampler.note(midi, 1.0, 1.0)
        spectrum = np.abs(np.fft.rfft(tone * np.hanning(len(tone)), 1 << 19))
        pitch_hz = spectrum.argmax() * 44_100 / (1 << 19)
        assert 1200 * np.log2(pitch_hz / 440) == pytest.approx(100 * (midi - 69) + 30, abs=2)


def test_a_seed_always_gives_the_same_song(song: Song) -> None:
    again = generate(RENDERED)
    assert torch.equal(again.mix.samples, song.mix.samples)
    assert again.truth == song.truth
    assert draw(RENDERED + 1).truth != song.truth


def test_stems_add_up_to_a_mix_that_does_not_clip(song: Song) -> None:
    total = torch.stack([stem.samples for stem in song.stems.values()]).sum(dim=0)
    torch.testing.assert_close(total, song.mix.samples, atol=1e-6, rtol=0)
    assert song.mix.samples.dtype == torch.float32
    assert (song.mix.channels, song.mix.sample_rate) == (2, 44_100)
    assert 40 <= song.mix.duration_s <= 60
    assert 0.7 < song.mix.samples.abs().max() <= 0.9
    assert set(song.stems) == {"bass", "drums", "other"}


def test_drums_are_heard_where_the_truth_says(song: Song) -> None:
    heard = song.stems["drums"].samples.mean(dim=0).numpy()
    level = np.abs(heard[: len(heard) // 64 * 64]).reshape(-1, 64).max(axis=1)
    rise = np.diff(np.log(level + 0.01 * level.max()), prepend=0)
    peaks, _ = find_peaks(rise, height=1.5, distance=60)
    onsets = peaks * 64 / 44_100
    beat_s = 60 / song.truth.tempo_bpm
    sixteenths = (onsets - song.truth.beats_s[0]) / beat_s * 4
    off_s = np.abs(sixteenths - sixteenths.round()) * beat_s / 4
    assert len(onsets) > 60
    assert np.quantile(off_s, 0.9) < 0.015


def test_the_tonic_triad_is_what_sounds_in_the_last_bar(song: Song, plans: list[Plan]) -> None:
    form = next(plan.form for plan in plans if plan.seed == RENDERED)
    start = round((song.truth.downbeats_s[-1] + 0.1) * 44_100)
    last = song.stems["other"].samples.mean(dim=0).numpy()[start : start + 44_100]
    power = np.abs(np.fft.rfft(last * np.hanning(len(last)), 1 << 18))[1:] ** 2
    hz = np.arange(1, len(power) + 1) * 44_100 / (1 << 18)
    notes = 12 * np.log2(hz / 440) + 69 - song.truth.tuning_cents / 100
    inside = (hz > 100) & (hz < 1_000)
    classes = np.bincount(notes[inside].round().astype(int) % 12, power[inside], 12)
    triad = [(form.tonic + cls) % 12 for cls in home(form.mode).classes]
    assert song.truth.key == key_name(form.tonic, form.mode)
    assert classes[triad].sum() > 0.8 * classes.sum()


def test_a_perfect_analysis_has_perfect_scores() -> None:
    got = judge()
    assert (got.tempo_error_bpm, got.tempo_exact, got.tempo_level_ratio) == (0.0, True, 1.0)
    assert (got.beat_f, got.beat_offset_s) == (1.0, 0.0)
    assert got.downbeat_right
    assert got.meter_right
    assert (got.key_exact, got.key_weighted, got.tuning_error_cents) == (True, 1.0, 0.0)


@pytest.mark.parametrize("empty", [None, []])
def test_missing_estimates_score_nothing(empty: list[float] | None) -> None:
    got = score(
        TRUTH,
        tempo_bpm=None,
        beats_s=empty,
        downbeats_s=empty,
        beats_per_bar=None,
        key=None,
        tuning_cents=None,
    )
    assert got.tempo_error_bpm == float("inf")
    assert not got.tempo_exact
    assert got.tempo_level_ratio is None
    assert (got.beat_f, got.beat_offset_s) == (0.0, None)
    assert not got.downbeat_right
    assert not got.meter_right
    assert (got.key_exact, got.key_weighted, got.tuning_error_cents) == (False, 0.0, None)


@pytest.mark.parametrize(
    ("tempo_bpm", "exact", "level"),
    [(120.019, True, 1.0), (120.03, False, 1.0), (60.01, False, 0.5), (180.0, False, 1.5),
     (90.1, False, 3 / 4), (119.7, False, None), (100.0, False, None)],
)  # fmt: skip
def test_tempo_is_right_exactly_or_up_to_its_level(
    tempo_bpm: float, exact: bool, level: float | None
) -> None:
    got = judge(tempo_bpm=tempo_bpm)
    assert got.tempo_exact == exact
    assert got.tempo_level_ratio == level


def test_beats_count_within_70_ms_and_their_lag_is_signed() -> None:
    late = judge(beats_s=BEATS + 0.02)
    assert late.beat_f == 1.0
    assert late.beat_offset_s == pytest.approx(0.02)
    assert judge(beats_s=BEATS - 0.02).beat_offset_s == pytest.approx(-0.02)
    off = judge(beats_s=BEATS + 0.1)
    assert (off.beat_f, off.beat_offset_s) == (0.0, None)
    assert judge(beats_s=BEATS[::2]).beat_f == pytest.approx(2 / 3)


def test_beats_before_and_after_the_song_do_not_count() -> None:
    around = np.concatenate((BEATS, [0.3, 0.8, BEATS[-1] + 0.5, BEATS[-1] + 1.0]))
    assert judge(beats_s=around).beat_f == 1.0
    assert judge(beats_s=np.concatenate((BEATS, [1.1]))).beat_f < 1.0


def test_downbeats_need_four_fifths_of_both_shares() -> None:
    assert judge(downbeats_s=DOWNBEATS[4:]).downbeat_right
    assert not judge(downbeats_s=DOWNBEATS[5:]).downbeat_right
    assert not judge(downbeats_s=DOWNBEATS + 1.0).downbeat_right
    assert not judge(downbeats_s=BEATS).downbeat_right


@pytest.mark.parametrize(
    ("key", "weighted"),
    [("Db minor", 1.0), ("c# minor", 1.0), ("G# minor", 0.5), ("E major", 0.3),
     ("C# major", 0.2), ("F# minor", 0.0)],
)  # fmt: skip
def test_keys_are_weighted_however_they_are_spelled(key: str, weighted: float) -> None:
    got = judge(key=key)
    assert got.key_weighted == weighted
    assert got.key_exact == (weighted == 1.0)


def test_a_key_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="invalid"):
        judge(key="H minor")


def test_tuning_wraps_around_at_half_a_semitone() -> None:
    assert judge(tuning_cents=45.0).tuning_error_cents == pytest.approx(15.0)
    assert judge(tuning_cents=-30.0).tuning_error_cents == pytest.approx(10.0)


def test_summaries_are_of_all_songs_and_of_each_group() -> None:
    quiet = Truth(**{**vars(TRUTH), "has_drums": False, "style": "strings"})
    nothing = score(
        quiet, tempo_bpm=60.0, beats_s=None, downbeats_s=None, beats_per_bar=3, key="E major",
        tuning_cents=None,
    )  # fmt: skip
    both = summary([judge(), nothing])
    assert (both.songs, both.tempo_exact, both.tempo_level) == (2, 0.5, 1.0)
    assert (both.beat_f_median, both.beat_right, both.downbeat_right) == (0.5, 0.5, 0.5)
    assert both.key_exact == 0.5
    assert both.key_weighted == pytest.approx(0.65)
    assert both.tuning_error_cents == 0.0
    groups = summaries([judge(), nothing])
    assert list(groups) == [
        "all", "with drums", "without drums", "4/4", "style: rock", "style: strings",
    ]  # fmt: skip
    assert groups["without drums"].beat_f_mean == 0.0
    assert groups["style: strings"].beat_offset_s is None
    with pytest.raises(ValueError, match="no scores"):
        summary([])
