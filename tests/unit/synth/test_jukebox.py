from __future__ import annotations

from collections import Counter
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from synth.core import RATE_HZ
from synth.jukebox import generate
from synth.jukebox.drawing import draw_plan
from synth.jukebox.instruments import INSTRUMENTS, Pitch
from synth.jukebox.kits import KITS, strike
from synth.jukebox.score import truth_of, write_score
from synth.jukebox.styles import styles
from synth.keys import is_minor

if TYPE_CHECKING:
    from synth.song import Song

# Songs below 200 are kept for measuring the analysis.
_FIRST = 1000
_SONGS = (1003, 1007, 1009)

_song = cache(generate)
_PLANS = tuple(range(_FIRST, _FIRST + 100))


def test_a_seed_is_a_song() -> None:
    once, again, other = _song(1003), generate(1003), _song(1007)
    assert torch.equal(once.mix.samples, again.mix.samples)
    assert once.truth == again.truth
    assert once.truth != other.truth


def test_a_hundred_plans_cover_the_repertoire() -> None:
    plans = [draw_plan(seed) for seed in _PLANS]
    tempos = [plan.tempo_bpm for plan in plans]
    assert min(tempos) >= 60
    assert max(tempos) <= 190
    assert min(tempos) < 75
    assert max(tempos) > 165
    assert len({plan.tonic for plan in plans}) == 12
    assert len({plan.style.name for plan in plans}) >= 30
    assert 35 <= sum(is_minor(plan.mode) for plan in plans) <= 65
    assert 10 <= sum(plan.grid.beats_per_bar == 3 for plan in plans) <= 32
    assert 15 <= sum(not plan.has_drums for plan in plans) <= 38
    assert 35 <= sum(plan.tuning_cents == 0 for plan in plans) <= 65
    assert all(abs(plan.tuning_cents) <= 40 for plan in plans)
    for feature in (
        Counter(plan.opening.lead for plan in plans),
        Counter(plan.opening.pickup for plan in plans),
        Counter(plan.ending for plan in plans),
    ):
        assert len(feature) >= 2
        assert min(feature.values()) >= 2
    swings = [plan.grid.swing for plan in plans]
    assert 15 <= sum(swing > 0.54 for swing in swings) <= 60
    assert any(
        "drums" not in section.layers
        for plan in plans
        if plan.has_drums
        for section in plan.sections
        if section.name == "break"
    )


def test_every_line_names_instruments_and_pieces_that_exist() -> None:
    for style in styles():
        voices = {voice for line in style.lines for voice in line.voices} | set(style.leads)
        assert voices <= set(INSTRUMENTS), style.name
        assert set(style.kits) <= set(KITS), style.name
        assert any(line.layer == "comp" for line in style.lines), style.name
        for groove in style.grooves:
            for pattern in groove.values():
                for bar in pattern.split("|"):
                    per_beat = len(bar) / style.beats_per_bar
                    assert per_beat in (2, 3, 4), (style.name, pattern)


@pytest.mark.parametrize("seed", range(_FIRST, _FIRST + 12))
def test_beats_are_even_and_begin_with_the_music(seed: int) -> None:
    plan = draw_plan(seed)
    score = write_score(plan)
    truth = truth_of(plan, score)
    beats = np.array(truth.beats_s)
    np.testing.assert_allclose(np.diff(beats), 60 / truth.tempo_bpm)
    bars = np.searchsorted(beats, np.array(truth.downbeats_s))
    assert set(np.diff(bars)) == {truth.beats_per_bar}
    assert bars[0] < truth.beats_per_bar
    starts = [note.start_s for player in score.players for note in player.notes]
    first = min(starts + [hit.time_s for hit in score.hits])
    assert -0.03 <= beats[0] - first <= 60 / truth.tempo_bpm
    assert beats[-1] <= max(starts) + truth.beats_per_bar * 60 / truth.tempo_bpm


@pytest.mark.parametrize("seed", range(_FIRST, _FIRST + 12))
def test_a_song_ends_on_its_tonic(seed: int) -> None:
    plan = draw_plan(seed)
    score = write_score(plan)
    notes = [note for player in score.players for note in player.notes]
    end = plan.grid.time_s(plan.bars - 1, 0)
    last = [note.pitch for note in notes if note.start_s > end - 0.03]
    assert last
    assert (min(last) - plan.tonic) % 12 == 0
    third = 3 if truth_of(plan, score).key == f"{plan.key.split()[0]} minor" else 4
    assert {(pitch - plan.tonic) % 12 for pitch in last} <= {0, third, 7, 9}


@pytest.mark.parametrize("seed", _SONGS)
def test_stems_add_up_to_a_clean_mix(seed: int) -> None:
    song = _song(seed)
    total = sum((stem.samples for stem in song.stems.values()), torch.zeros(2, 1))
    assert torch.allclose(total, song.mix.samples, atol=1e-5)
    assert bool(torch.isfinite(song.mix.samples).all())
    assert 0.3 < float(song.mix.samples.abs().max()) <= 0.98
    assert 40 <= song.mix.duration_s <= 70
    assert song.mix.samples.dtype == torch.float32
    assert song.truth.beats_s[-1] < song.mix.duration_s
    assert ("drums" in song.stems) == song.truth.has_drums


def _attacks_s(song: Song, stem: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """When the stem's energy rises most."""
    hop = 128
    wave = song.stems[stem].samples.mean(dim=0).numpy()
    rising = np.diff(wave, prepend=0)
    frames = rising[: len(rising) // hop * hop].reshape(-1, hop)
    energy = np.log(np.mean(frames**2, axis=1) + 1e-7)
    flux = np.maximum(0, energy[2:] - energy[:-2])
    top = np.flatnonzero((flux > 1.5) & (flux >= np.roll(flux, 1)) & (flux > np.roll(flux, -1)))
    return (top + 1.5) * hop / RATE_HZ


def test_drums_fall_on_subdivisions_of_the_beat() -> None:
    song = _song(1009)
    beat_s = 60 / song.truth.tempo_bpm
    attacks = _attacks_s(song, "drums")
    steps = (attacks - song.truth.beats_s[0]) / (beat_s / 4)
    off_s = np.abs(steps - np.round(steps)) * beat_s / 4
    assert len(attacks) > 100
    assert np.mean(off_s < 0.013) > 0.9


@pytest.mark.parametrize("name", sorted(set(INSTRUMENTS) - {"drive", "chug"}))
def test_instruments_are_in_tune(name: str) -> None:
    hz = 110.0
    wave = INSTRUMENTS[name].play(Pitch(hz, 1.4, 0.6), np.random.default_rng(1))[4000:50_000]
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), 1 << 19))
    bin_hz = RATE_HZ / (1 << 19)
    low, high = round(hz * 0.97 / bin_hz), round(hz * 1.03 / bin_hz)
    peak_hz = (low + int(np.argmax(spectrum[low:high]))) * bin_hz
    # Choirs and detuned saws beat; anything further off would be another tuning.
    assert abs(1200 * np.log2(peak_hz / hz)) < 16


def test_every_drum_can_be_heard() -> None:
    pieces = {piece for style in styles() for groove in style.grooves for piece in groove}
    for piece in pieces | {"sticks", "crash", "tommid", "tomhi"}:
        wave = strike(piece, KITS["live"], True, np.random.default_rng(1))
        assert np.isfinite(wave).all()
        first = np.argmax(np.abs(wave) > 0.5 * np.max(np.abs(wave)))
        assert first < 0.025 * RATE_HZ, piece
