from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile as sf
from scipy.signal import butter, sosfiltfilt

from samples.render import perform
from samples.songs import SONGS as SONGBOOK
from synth.timeline import Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLES = Path(__file__).parents[3] / "samples"
SONGS = sorted(path.parent for path in SAMPLES.glob("*/truth.json"))
PITCH_CLASSES = ["C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B"]

each_song = pytest.mark.parametrize("folder", SONGS, ids=lambda path: path.name)


def read_truth(folder: Path) -> dict[str, Any]:
    truth: dict[str, Any] = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    return truth


def read(path: Path) -> tuple[NDArray[np.float64], int]:
    samples, sample_rate = sf.read(path, always_2d=True)
    return samples.T, sample_rate


def test_there_are_songs_and_they_stay_small() -> None:
    files = [p for p in SAMPLES.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    assert len(SONGS) >= 3
    assert sum(path.stat().st_size for path in files) <= 10_000_000


@each_song
def test_stems_add_up_to_the_mix_which_does_not_clip(folder: Path) -> None:
    truth = read_truth(folder)
    mix, sample_rate = read(folder / truth["mix"])
    stems = [read(folder / truth["stems"][kind]) for kind in ("vocals", "drums", "bass", "other")]
    assert {rate for _, rate in stems} == {sample_rate} == {44_100}
    assert np.abs(np.sum([stem for stem, _ in stems], axis=0) - mix).max() < 2e-4
    assert 0.7 < np.abs(mix).max() < 0.9
    assert all(np.sqrt(np.mean(stem**2)) > 0.01 for stem, _ in stems)


@each_song
def test_truth_is_consistent_with_itself_and_with_the_length(folder: Path) -> None:
    truth = read_truth(folder)
    mix, sample_rate = read(folder / truth["mix"])
    beat_s = 60 / truth["tempo_bpm"]
    assert 20 <= truth["duration_s"] <= 40
    assert mix.shape[1] == round(truth["duration_s"] * sample_rate)
    assert len(truth["beats_s"]) % truth["beats_per_bar"] == 0
    assert truth["duration_s"] == pytest.approx(len(truth["beats_s"]) * beat_s)
    assert np.allclose(truth["beats_s"], np.arange(len(truth["beats_s"])) * beat_s, atol=1e-9)
    assert truth["downbeats_s"] == truth["beats_s"][:: truth["beats_per_bar"]]


@each_song
def test_a_kick_starts_on_every_downbeat(folder: Path) -> None:
    truth = read_truth(folder)
    drums, sample_rate = read(folder / truth["stems"]["drums"])
    low = sosfiltfilt(
        butter(2, (45, 2_000), "bandpass", fs=sample_rate, output="sos"), drums.mean(0)
    )
    hop = sample_rate // 500
    lead = 50
    frames = np.pad(low[: len(low) // hop * hop], (lead * hop, 0)).reshape(-1, hop)
    level_db = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-5)
    # Three frames against the three before: the rise of an attack, whatever rings on beneath it.
    rise = [level_db[i : i + 3].mean() - level_db[i - 3 : i].mean() for i in range(3, len(frames))]
    for downbeat_s in truth["downbeats_s"]:
        centre = round(downbeat_s * sample_rate / hop) + lead
        window = np.array(rise[centre - 3 - 40 : centre - 3 + 40])
        assert abs(int(np.argmax(window)) - 40) * hop / sample_rate <= 0.01, downbeat_s
        assert window.max() > 6


@each_song
def test_the_last_bar_rests_on_the_tonic(folder: Path) -> None:
    truth = read_truth(folder)
    bass, sample_rate = read(folder / truth["stems"]["bass"])
    start = round(truth["downbeats_s"][-1] * sample_rate)
    piece = bass.mean(axis=0)[start : start + sample_rate // 2]
    spectrum = np.abs(np.fft.rfft(piece * np.hanning(len(piece)), 8 * sample_rate))
    peak_hz = np.argmax(spectrum[: 8 * 150]) / 8
    pitch_class = round(12 * np.log2(peak_hz / 440) + 69) % 12
    assert PITCH_CLASSES[pitch_class] == truth["key"].split()[0]


def test_rendering_is_deterministic() -> None:
    songs = {song.slug: song for song in SONGBOOK}
    assert sorted(songs) == [folder.name for folder in SONGS]
    song = songs["slow-it-down"]
    excerpt = Grid(92.0, bars=5, swing=0.59)
    first, second = perform(song, excerpt), perform(song, excerpt)
    assert set(first) == {"vocals", "drums", "bass", "other"}
    for kind, stem in first.items():
        assert np.abs(stem).max() > 0.01, kind
        assert np.array_equal(stem, second[kind]), kind
