from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from mashup_worker.dsp.stft import OverlapAdd, frame_count, stft

SIZE, HOP = 64, 16
LEAD = SIZE - HOP


@pytest.mark.parametrize("length", [1, 15, 16, 17, 1000])
@pytest.mark.parametrize("piece_frames", [1, 2, 7, 1000])
def test_spectra_in_pieces_give_the_signal_back(length: int, piece_frames: int) -> None:
    samples = torch.randn(2, length)
    window = torch.hann_window(SIZE)
    frames = frame_count(length, SIZE, HOP)
    spectra = stft(F.pad(samples, (LEAD, frames * HOP - length)), window, HOP)
    assert spectra.shape == (2, frames, SIZE // 2 + 1)
    overlap_add = OverlapAdd(window, HOP)
    pieces = [overlap_add.push(piece) for piece in torch.split(spectra, piece_frames, dim=1)]
    back = torch.cat(pieces, dim=-1)[:, LEAD : LEAD + length]
    torch.testing.assert_close(back, samples, rtol=0, atol=1e-6)


def test_nothing_has_no_frames() -> None:
    assert frame_count(0, SIZE, HOP) == 0
