"""Keys: their names, their places on the wheel, and which is found in cadences."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch

from mashup_worker.analysis.chroma import RATE_HZ, chroma
from mashup_worker.analysis.key_names import KEYS, camelot
from mashup_worker.analysis.keys import FEATURES, PROFILES, estimate_key, evidence
from mashup_worker.analysis.result import KEY_PROFILES, KeyProfile
from mashup_worker.analysis.weights import key_weights
from tests.unit.music import cadence, chord

WHEEL = {
    "1A": "G# minor", "1B": "B major",
    "2A": "Eb minor", "2B": "F# major",
    "3A": "Bb minor", "3B": "Db major",
    "4A": "F minor", "4B": "Ab major",
    "5A": "C minor", "5B": "Eb major",
    "6A": "G minor", "6B": "Bb major",
    "7A": "D minor", "7B": "F major",
    "8A": "A minor", "8B": "C major",
    "9A": "E minor", "9B": "G major",
    "10A": "B minor", "10B": "D major",
    "11A": "F# minor", "11B": "A major",
    "12A": "C# minor", "12B": "E major",
}  # fmt: skip


def test_every_key_has_its_place_on_the_wheel() -> None:
    assert {camelot(key): key for key in KEYS} == WHEEL
    assert len(KEYS) == 24


def test_every_key_profile_is_an_option() -> None:
    assert get_args(KeyProfile) == KEY_PROFILES
    assert {"auto", *PROFILES} == set(KEY_PROFILES)
    for major, minor in PROFILES.values():
        assert len(major) == len(minor) == 12
        # The tonic and the fifth lead; the third determines the mode.
        assert major[0] == max(major)
        assert major[4] > major[3]
        assert minor[3] > minor[4]


def test_there_is_a_weight_for_each_feature_of_each_profile() -> None:
    weights = key_weights()
    assert weights.keys() == PROFILES.keys()
    assert all(set(one) == set(FEATURES) for one in weights.values())


@pytest.mark.parametrize("mode", ["major", "minor"])
@pytest.mark.parametrize("tonic", range(12))
def test_cadences_have_their_key(tonic: int, mode: str) -> None:
    harmony = chroma(cadence(tonic, mode, sample_rate=RATE_HZ))
    name = KEYS[tonic + (12 if mode == "minor" else 0)]
    for profile in KEY_PROFILES:
        got = estimate_key(harmony, profile)
        assert got.candidates[0].key == name, profile
        assert got.candidates[0].camelot == camelot(name)
        assert profile in ("auto", got.profile)


def test_candidates_are_all_keys_best_first_and_add_up_to_one() -> None:
    got = estimate_key(chroma(cadence(2, "minor", sample_rate=RATE_HZ)))
    scores = [one.score for one in got.candidates]
    assert {one.key for one in got.candidates} == set(KEYS)
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1)
    assert 0 < got.confidence <= scores[0]
    assert got.profile in PROFILES


def test_auto_uses_the_profile_with_the_largest_share() -> None:
    harmony = chroma(cadence(7, "minor", sample_rate=RATE_HZ))
    alone = {name: estimate_key(harmony, name).candidates[0].score for name in KEY_PROFILES[1:]}
    got = estimate_key(harmony)
    assert got.candidates[0].score == pytest.approx(max(alone.values()))
    assert got.profile == max(alone, key=lambda name: alone[name])


@pytest.mark.parametrize("cents", [-40, 40])
def test_a_detuned_song_keeps_its_key(cents: int) -> None:
    harmony = chroma(cadence(9, "minor", detuned=cents / 100, sample_rate=RATE_HZ))
    assert estimate_key(harmony).candidates[0].key == "A minor"


@pytest.mark.parametrize("length", [0, 1, 10, 5 * RATE_HZ])
def test_silence_has_no_key(length: int) -> None:
    silence = chroma(torch.zeros(length))
    for harmony in (silence, replace(silence, treble=silence.treble[:, :0])):
        got = estimate_key(harmony)
        assert got.candidates == ()
        assert got.profile is None
        assert got.confidence == 0


@pytest.mark.parametrize("length", [10, 600, 5_000, 30_000])
def test_short_sound_has_finite_scores(length: int) -> None:
    for samples in (
        torch.randn(length, generator=torch.Generator().manual_seed(5)),
        chord(60, (0, 4, 7), 3.0, RATE_HZ)[:length],
    ):
        got = estimate_key(chroma(samples))
        assert all(np.isfinite(one.score) for one in got.candidates)
        assert 0 <= got.confidence <= 1


def test_noise_and_drums_have_no_confident_key() -> None:
    noise = torch.randn(20 * RATE_HZ, generator=torch.Generator().manual_seed(5))
    assert estimate_key(chroma(noise)).confidence < 0.3


def test_silence_around_a_song_leaves_its_key() -> None:
    samples = cadence(4, "minor", sample_rate=RATE_HZ)
    around = torch.nn.functional.pad(samples, (20 * RATE_HZ, 20 * RATE_HZ))
    usual, late = estimate_key(chroma(samples)), estimate_key(chroma(around))
    assert late.candidates[0].key == usual.candidates[0].key == "E minor"
    assert late.candidates[0].score == pytest.approx(usual.candidates[0].score, abs=0.1)


def test_evidence_rotates_with_the_tonic() -> None:
    rng = np.random.default_rng(4)
    treble, bass = rng.random((12, 200)), rng.random((12, 200))
    for profile in PROFILES:
        here = evidence(treble, bass, profile)
        above = evidence(np.roll(treble, 5, axis=0), np.roll(bass, 5, axis=0), profile)
        assert here.shape == (24, len(FEATURES))
        turned = np.concatenate([np.roll(here[:12], 5, axis=0), np.roll(here[12:], 5, axis=0)])
        np.testing.assert_allclose(above, turned, atol=1e-9)


def test_fourth_and_seventh_distinguish_keys_a_fifth_apart() -> None:
    scale = np.zeros((12, 60))
    scale[[0, 2, 4, 5, 7, 9, 11]] = 1.0
    got = evidence(scale, scale, "krumhansl")[:12]
    fourth, seventh = (got[:, FEATURES.index(name)] for name in ("fourth", "major seventh"))
    c, f, g = (KEYS.index(f"{tonic} major") for tonic in "CFG")
    assert (fourth[c], seventh[c]) == (1, 1)
    assert (fourth[f], seventh[f]) == (-1, 1)
    assert (fourth[g], seventh[g]) == (1, -1)


def test_third_distinguishes_parallel_keys() -> None:
    triad = np.zeros((12, 60))
    triad[[0, 3, 7]] = 1.0
    third = evidence(triad, triad, "edm")[:, FEATURES.index("third")]
    assert third[KEYS.index("C minor")] == 1
    assert third[KEYS.index("C major")] == -1
