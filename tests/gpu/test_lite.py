"""The preview model on a GPU."""

from __future__ import annotations

import pytest
import torch

from mashup_worker.models.lite.separator import load_lite
from mashup_worker.pipelines.separation.separate import separate_audio
from tests.engines import music
from tests.gpu.networks import assert_near

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("as_torch_starts")]

LEAST_DB = 60
"""Masks are ratios of estimates: where both are near 0, the last bits of fp32 decide."""


def test_lite_separates_as_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mashup_worker.models.lite.separator.FRAMES", 64)  # tiles of 1.5 s
    song = music(2.0)
    made, expected = (separate_audio(load_lite(device, "fp32"), song) for device in ("cuda", "cpu"))
    for kind, stem in expected.items():
        assert_near(made[kind].samples, stem.samples, LEAST_DB)
    total = torch.stack([stem.samples for stem in made.values()]).sum(0)
    assert_near(total, song.samples, 90)
