from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from scipy.signal import find_peaks

from synth.bandstand import census, draw, generate
from synth.bandstand.harmony import chord, home, loops
from synth.bandstand.lines import LOWEST_BASS
from synth.bandstand.styles import styles
from synth.bandstand.voices import VOICES, Sampler
from synth.keys import key_name

if TYPE_CHECKING:
    from synth.bandstand.plan import Plan
    from synth.song import Song

RENDERED = 2029
"""Seed of a song with drums and bass whose eighths and sixteenths are straight."""


@pytest.fixture(scope="module")
def plans() -> list[Plan]:
    return [draw(seed) for seed in range(2000, 2060)]


@pytest.fixture(scope="module")
def song() -> Song:
    return generate(RENDERED)


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
    assert sum(name.startswith("style: ") for name in shares) > 0.8 * len(styles())


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
        for flavor in ("pop", "rock", "soul", "folk"):
            for loop in loops(mode, flavor):
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


def test_drums_sound_at_their_labeled_times(song: Song) -> None:
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


def test_the_last_bar_sounds_the_tonic_triad(song: Song, plans: list[Plan]) -> None:
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
