"""Pitch classes and tuning, against librosa and chords that are known."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import torch

from mashup_worker.analysis import frames
from mashup_worker.analysis.chroma import FRAME_RATE_HZ, HOP_SAMPLES, RATE_HZ, Chroma, chroma
from tests.unit.music import MAJOR, MINOR, cadence, chord, even_beats, placed, snare, tone

TURNS = ((60, MAJOR), (57, MINOR), (65, MAJOR), (67, MAJOR), (62, MINOR), (64, MINOR))


def chords(detuned: float = 0.0, bar_s: float = 1.5) -> torch.Tensor:
    parts = [chord(root + detuned, shape, bar_s, RATE_HZ) for root, shape in TURNS]
    return torch.cat(parts)


def every(found: Chroma) -> tuple[torch.Tensor, ...]:
    return found.treble, found.bass, found.tuning_cents, found.clarity


def noise(length: int) -> torch.Tensor:
    return torch.randn(length, generator=torch.Generator().manual_seed(4))


def test_chords_show_their_three_pitch_classes() -> None:
    found = chroma(chords())
    for i, (root, shape) in enumerate(TURNS):
        middle = round((1.5 * i + 0.75) * FRAME_RATE_HZ)
        frame = found.treble[:, middle - 3 : middle + 4].mean(dim=1)
        strongest = set(frame.argsort(descending=True)[:3].tolist())
        assert strongest == {(root + step) % 12 for step in shape}
        assert int(found.bass[:, middle].argmax()) == root % 12


def test_pitch_classes_agree_with_librosa() -> None:
    # Without the bass, which librosa does not separate from the treble.
    parts = [sum(tone(root + step, 1.5, RATE_HZ) for step in shape) for root, shape in TURNS]
    samples = torch.cat([torch.as_tensor(part) for part in parts])
    ours = chroma(samples).treble.numpy()
    theirs = librosa.feature.chroma_stft(
        y=samples.numpy(), sr=RATE_HZ, hop_length=HOP_SAMPLES, n_fft=4096, tuning=0.0
    )
    assert theirs.shape == ours.shape
    phase_s = np.arange(ours.shape[1]) / FRAME_RATE_HZ % 1.5
    steady = np.flatnonzero((phase_s > 0.4) & (phase_s < 1.1))
    alike = [np.corrcoef(ours[:, i], theirs[:, i])[0, 1] for i in steady]
    assert np.mean(alike) > 0.85
    # Which of a chord's notes leads is a matter of taste, so theirs may be near its own first.
    near = theirs[ours.argmax(axis=0)[steady], steady] > 0.5 * theirs.max(axis=0)[steady]
    assert near.mean() > 0.95


@pytest.mark.parametrize("cents", [-42, -25, -10, 0, 7, 20, 35, 45])
def test_detuned_chords_have_their_tuning(cents: int) -> None:
    samples = chords(cents / 100)
    found = chroma(samples)
    assert float(found.tuning_cents) == pytest.approx(cents, abs=5)
    theirs = 100 * librosa.estimate_tuning(y=samples.numpy(), sr=RATE_HZ, n_fft=4096)
    difference = (float(found.tuning_cents) - theirs + 50) % 100 - 50
    assert abs(difference) <= 5
    assert float(found.clarity) > 0.5


@pytest.mark.parametrize("cents", [-40, 25, 40])
def test_detuned_chords_have_the_same_pitch_classes(cents: int) -> None:
    straight, detuned = chroma(chords()).treble, chroma(chords(cents / 100)).treble
    alike = torch.nn.functional.cosine_similarity(straight, detuned, dim=0)
    assert alike.median() > 0.97


def test_a_semitone_up_turns_the_pitch_classes_by_one() -> None:
    here, above = (chroma(cadence(tonic, "major", sample_rate=RATE_HZ)).treble for tonic in (0, 1))
    turned = here.sum(dim=1).roll(1)
    assert torch.nn.functional.cosine_similarity(turned, above.sum(dim=1), dim=0) > 0.98


@pytest.mark.parametrize("pitch", [36, 45, 57, 69, 81, 93])
def test_one_note_is_one_pitch_class(pitch: int) -> None:
    time_s = torch.arange(2 * RATE_HZ) / RATE_HZ
    hz = 440 * 2 ** ((pitch - 69) / 12)
    found = chroma(0.3 * torch.sin(2 * torch.pi * hz * time_s))
    part = found.bass if pitch < 50 else found.treble
    share = part.sum(dim=1) / part.sum()
    assert share[pitch % 12] > 0.85
    other = found.treble if pitch < 50 else found.bass
    assert other.sum() < part.sum()


def test_drums_hardly_disturb_the_pitch_classes() -> None:
    alone = chords()
    duration_s = len(alone) / RATE_HZ
    beats_s = even_beats(120, duration_s - 0.3)
    struck = placed(snare(RATE_HZ), beats_s, duration_s, RATE_HZ)[: len(alone)]
    clean, full = chroma(alone).treble, chroma(alone + struck).treble
    alike = torch.nn.functional.cosine_similarity(clean, full, dim=0)
    assert alike.median() > 0.9


def test_noise_is_unclear_and_chords_are_clear() -> None:
    assert float(chroma(noise(8 * RATE_HZ)).clarity) < 0.1 < 0.5 < float(chroma(chords()).clarity)


@pytest.mark.parametrize("gain", [1e-3, 0.05, 50.0])
def test_level_does_not_matter(gain: float) -> None:
    samples = chords()
    usual, scaled = chroma(samples), chroma(gain * samples)
    assert float(scaled.tuning_cents) == pytest.approx(float(usual.tuning_cents), abs=0.5)
    alike = torch.nn.functional.cosine_similarity(usual.treble, scaled.treble, dim=0)
    assert alike[1:-1].min() > 0.99


@pytest.mark.parametrize("length", [0, 1, 10, 511, 512, 513, 4097, 30_001])
def test_any_length_has_finite_pitch_classes(length: int) -> None:
    for samples in (noise(length), torch.zeros(length)):
        found = chroma(samples)
        assert found.treble.shape == found.bass.shape == (12, length // HOP_SAMPLES + 1)
        for values in every(found):
            assert values.isfinite().all()
        assert -50 <= float(found.tuning_cents) <= 50
        assert 0 <= float(found.clarity) <= 1 + 1e-6
    assert found.treble.max() == found.bass.max() == 0


def test_a_batch_is_its_songs_one_by_one() -> None:
    songs = torch.stack([chords(), 0.1 * chords(0.3), noise(len(chords()))])
    together = chroma(songs.reshape(3, 1, -1))
    assert together.treble.shape[:2] == (3, 1)
    for i, song in enumerate(songs):
        for one, batch in zip(every(chroma(song)), every(together), strict=True):
            torch.testing.assert_close(batch[i, 0], one, atol=1e-3, rtol=1e-3)


def test_long_sound_is_the_same_in_short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = chords(0.2)
    whole = chroma(samples)
    monkeypatch.setattr(frames, "_STRETCH_FRAMES", 23)
    for one, other in zip(every(whole), every(chroma(samples)), strict=True):
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)


def test_a_low_note_beside_a_chord_stays_in_the_bass() -> None:
    found = chroma(tone(40, 3.0, RATE_HZ) + 0.5 * chord(72, MAJOR, 3.0, RATE_HZ))
    assert int(found.bass.sum(dim=1).argmax()) == 4


@pytest.mark.gpu
def test_cuda_agrees_with_the_cpu() -> None:
    samples = chords(0.1)
    on_cuda = chroma(samples.cuda())
    expected = chroma(samples)
    assert float(on_cuda.tuning_cents) == pytest.approx(float(expected.tuning_cents), abs=0.2)
    alike = torch.nn.functional.cosine_similarity(expected.treble, on_cuda.treble.cpu(), dim=0)
    assert alike.quantile(0.02) > 0.99
