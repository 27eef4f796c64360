"""Detection of attacks at known times."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from mashup_worker.audio.signal import Audio
from mashup_worker.mixing.measures.attacks import find_attacks
from tests.unit.music import click, hat, kick, placed, snare, tone

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

TIMES_S = np.arange(0.0, 11.8, 0.4137)
SOUNDS: dict[str, Callable[[int], Tensor]] = {
    "click": click,
    "kick": kick,
    "snare": snare,
    "hat": hat,
    "bass note": lambda sample_rate: tone(45, 0.3, sample_rate),
}


def errors_ms(samples: Tensor, sample_rate: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    found = find_attacks(Audio(samples, sample_rate)).times_s
    assert len(found) == len(TIMES_S)
    return np.asarray(1e3 * (found - TIMES_S))


@pytest.mark.parametrize("sample_rate", [8_000, 44_100, 48_000])
@pytest.mark.parametrize("name", SOUNDS)
def test_times_are_exact_and_unbiased(name: str, sample_rate: int) -> None:
    sound = placed(SOUNDS[name](sample_rate), TIMES_S, 12.0, sample_rate)
    errors = errors_ms(sound[None], sample_rate)
    assert abs(np.median(errors)) < 0.5
    assert np.abs(errors).max() < 1.0


@pytest.mark.parametrize("name", ["kick", "snare"])
def test_noise_and_pre_echoes_do_not_move_an_attack(name: str) -> None:
    """Time-stretching leaves a faint copy of a stroke 12 ms before it."""
    sound = placed(SOUNDS[name](44_100), TIMES_S, 12.0, 44_100)
    noise = 0.002 * torch.randn(len(sound), generator=torch.Generator().manual_seed(3))
    early = 0.03 * torch.cat([sound[529:], torch.zeros(529)])
    errors = errors_ms((sound + early + noise)[None], 44_100)
    assert np.abs(errors).max() < 1.0


def test_a_slow_attack_is_found_while_it_rises() -> None:
    note = tone(57, 0.35, 44_100)
    note[:882] *= torch.linspace(0, 1, 882)
    errors = errors_ms(placed(note, TIMES_S, 12.0, 44_100)[None], 44_100)
    assert errors.min() > 0
    assert errors.max() < 20


def test_opposite_channels_do_not_cancel() -> None:
    sound = placed(snare(44_100), TIMES_S, 12.0, 44_100)
    assert np.abs(errors_ms(torch.stack([sound, -sound]), 44_100)).max() < 1.0


def test_the_strong_half_holds_the_stronger_strokes() -> None:
    loud, soft = TIMES_S[::2], TIMES_S[1::2]
    sound = placed(snare(44_100), loud, 12.0, 44_100)
    sound += 0.3 * placed(snare(44_100), soft, 12.0, 44_100)
    found = find_attacks(Audio(sound[None], 44_100))
    assert len(found) == len(TIMES_S)
    assert found.strong.times_s == pytest.approx(loud, abs=1e-3)


@pytest.mark.parametrize("length_samples", [0, 1, 100, 44_100])
def test_silence_has_no_attacks(length_samples: int) -> None:
    assert len(find_attacks(Audio(torch.zeros(2, length_samples), 44_100))) == 0
    assert len(find_attacks(Audio(torch.zeros(1, length_samples), 8_000)).strong) == 0


def test_a_slowly_rising_tone_has_no_attacks() -> None:
    time_s = torch.arange(44_100 * 5) / 44_100
    held = 0.2 * torch.sin(2 * torch.pi * 220 * time_s) * (time_s / 2.0).clamp(max=1)
    assert len(find_attacks(Audio(held[None], 44_100))) == 0


@pytest.mark.gpu
def test_cuda_equals_the_cpu() -> None:
    sound = placed(snare(44_100), TIMES_S, 12.0, 44_100)[None]
    on_cpu, on_cuda = (find_attacks(Audio(one, 44_100)) for one in (sound, sound.cuda()))
    assert on_cuda.times_s == pytest.approx(on_cpu.times_s, abs=3e-4)
