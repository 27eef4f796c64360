from __future__ import annotations

import math

import pytest
import torch

from mashup_worker.dsp.metrics import si_sdr_db, snr_db


@pytest.fixture
def tones() -> tuple[torch.Tensor, torch.Tensor]:
    """Two orthogonal signals of equal power, shape `(2, 8000)`."""
    phase = torch.arange(8000) * (2 * math.pi / 80)
    return phase.sin().expand(2, -1), phase.cos().expand(2, -1)


@pytest.mark.parametrize("gain_db", [-40, -6, 0, 20])
def test_noise_at_a_known_level(tones: tuple[torch.Tensor, torch.Tensor], gain_db: float) -> None:
    reference, noise = tones
    estimate = reference + noise * 10 ** (gain_db / 20)
    assert snr_db(estimate, reference) == pytest.approx(-gain_db, abs=0.01)
    assert si_sdr_db(estimate, reference) == pytest.approx(-gain_db, abs=0.01)


def test_only_snr_counts_level(tones: tuple[torch.Tensor, torch.Tensor]) -> None:
    reference, noise = tones
    estimate = 0.5 * (reference + 0.1 * noise)
    assert si_sdr_db(estimate, reference) == pytest.approx(20, abs=0.01)
    assert snr_db(estimate, reference) == pytest.approx(5.98, abs=0.01)
    assert si_sdr_db(-estimate, reference) == pytest.approx(20, abs=0.01)


def test_silence() -> None:
    silence, noise = torch.zeros(2, 100), torch.randn(2, 100)
    assert math.isnan(si_sdr_db(noise, silence))
    assert math.isnan(si_sdr_db(silence, silence))
    assert si_sdr_db(silence, noise) == -math.inf
    assert snr_db(noise, silence) == -math.inf
    assert snr_db(silence, silence) == math.inf
    assert snr_db(silence, noise) == 0


def test_the_same_signal(tones: tuple[torch.Tensor, torch.Tensor]) -> None:
    reference, _ = tones
    assert snr_db(reference, reference) == math.inf
    assert si_sdr_db(reference, reference) > 200


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="shape"):
        si_sdr_db(torch.zeros(1, 100), torch.zeros(2, 100))
