"""Transposition of songs to compatible keys."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mashup_worker.analysis.result import Analysis
from mashup_worker.audio.signal import Audio
from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.keys import fifths_between, transposed
from mashup_worker.mixing.planning.harmony import compare_profiles, pitch_class_profile
from mashup_worker.mixing.planning.transposition import transpose_layer, transpose_sequence
from mashup_worker.mixing.song import LoudnessEnvelope, MixSong, SongStem
from tests.unit.mashups import song

CHORD = (60, 64, 67, 71, 74)


def chord(pitches: tuple[int, ...], seconds: float = 16.0) -> Audio:
    sample_rate = 11_025
    at = torch.arange(round(seconds * sample_rate)) / sample_rate
    sound = sum(torch.sin(2 * torch.pi * 440 * 2 ** ((p - 69) / 12) * at) for p in pitches)
    return Audio(0.1 * torch.as_tensor(sound)[None], sample_rate)


def pitched(name: str, kind: str, pitches: tuple[int, ...], key: str | None) -> MixSong:
    audio = chord(pitches)
    stem = SongStem(
        kind=kind, path=Path(), sha256="", audio=audio, envelope=LoudnessEnvelope.of(audio)
    )
    return replace(song(name), analysis=Analysis(audio.duration_s, key=key), stems={kind: stem})


@pytest.mark.parametrize("distance", range(-4, 5))
def test_vocals_and_instruments_move_by_two_semitones_at_most(distance: int) -> None:
    vocals = pitched("v", "vocals", CHORD, "C major")
    backing = pitched("b", "other", tuple(p - 12 + distance for p in CHORD), None)
    found = transpose_layer(vocals, [backing], None, forced=False)
    assert found.semitones["v"] - found.semitones["b"] == distance
    assert max(map(abs, found.semitones.values())) <= 2


def test_profiles_agree_best_at_the_transposition_between_them() -> None:
    a, b = (pitch_class_profile([chord(p)]) for p in ((60, 64, 67), (63, 67, 70)))
    assert compare_profiles(a, b).best_rotation == 3
    assert compare_profiles(b, a).best_shift == -3
    silent = pitch_class_profile([Audio(torch.zeros(1, 11_025), 11_025)])
    assert not compare_profiles(a, silent).is_known


def test_a_requested_key_is_reached_and_far_shifts_are_noted() -> None:
    vocals = pitched("v", "vocals", (60, 64, 67), "C major")
    backing = pitched("b", "other", (48, 52, 55), "C major")
    found = transpose_layer(vocals, [backing], "E major", forced=False)
    assert (found.key, found.semitones) == ("E major", {"v": 4, "b": 4})
    assert any("audible" in note for note in found.notes)
    with pytest.raises(InvalidInput, match="half an octave"):
        transpose_layer(vocals, [backing], "F# major", forced=False)


def test_consecutive_songs_are_neighbors_on_the_circle_of_fifths() -> None:
    keys = ["A minor", "F minor", "D minor", None, "Db major"]
    songs = [
        replace(song(f"s{index}"), analysis=Analysis(1.0, key=key, key_confidence=0.9))
        for index, key in enumerate(keys)
    ]
    found = transpose_sequence(songs, None, forced=False)
    assert found.semitones["s0"] == 0
    assert found.semitones["s3"] == 0
    now = [transposed(key, found.semitones[f"s{index}"]) for index, key in enumerate(keys) if key]
    assert all(fifths_between(a, b) <= 1 for a, b in itertools.pairwise(now))


@pytest.mark.parametrize("first", ["drums", "song"])
def test_a_doubtful_key_transposes_no_song(first: str) -> None:
    drums = replace(song("drums"), analysis=Analysis(1.0, key="Bb major", key_confidence=0.22))
    other = replace(song("song"), analysis=Analysis(1.0, key="E major", key_confidence=0.9))
    songs = sorted((drums, other), key=lambda one: one.name != first)
    found = transpose_sequence(songs, None, forced=False)
    assert (found.semitones, found.key) == ({"drums": 0, "song": 0}, "E major")
