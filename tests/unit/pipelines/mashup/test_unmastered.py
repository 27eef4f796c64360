"""Files of mashups before mastering."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from mashup_worker.audio.decode import decode
from mashup_worker.audio.signal import Audio
from mashup_worker.pipelines.mashup.unmastered import write_unmastered
from tests.unit.audio_fixtures import music

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("level", "kept"), [(1.0, True), (4.0, False)])
def test_the_file_is_the_mix_without_clipping(tmp_path: Path, level: float, kept: bool) -> None:
    mix = Audio(level * music(2.0).samples, 44_100)
    before = write_unmastered(mix, tmp_path / "unmastered.flac", seed=1)
    decoded = decode(before.path).samples
    scale = 1.0 if kept else 1.0 / float(mix.samples.abs().max())
    torch.testing.assert_close(decoded, scale * mix.samples, rtol=0, atol=2e-4)
    assert decoded.abs().max() < 1.0 - 2.0**-16
    assert (before.audio is mix) or not kept or torch.equal(before.audio.samples, mix.samples)
    assert before.loudness_lufs is not None


def test_silence_has_no_loudness(tmp_path: Path) -> None:
    before = write_unmastered(
        Audio(torch.zeros(2, 44_100), 44_100), tmp_path / "unmastered.flac", seed=1
    )
    assert before.loudness_lufs is None
    assert not decode(before.path).samples.any()
