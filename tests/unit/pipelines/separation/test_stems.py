"""Wanted stems become sums of what the model computes and of the mix."""

from __future__ import annotations

import pytest
import torch

from mashup_worker.audio.signal import Audio
from mashup_worker.errors import InvalidInput
from mashup_worker.pipelines.separation.stems import Stem, computed_stems, stem_mixes

KINDS = ("drums", "bass", "other", "vocals")


@pytest.fixture
def sources() -> dict[str, Audio]:
    torch.manual_seed(0)
    return {kind: Audio(torch.randn(2, 500), 8000) for kind in KINDS}


def made(sources: dict[str, Audio], residual: str | None, *wanted: str) -> dict[str, torch.Tensor]:
    """Stems of a mix that is the sum of its sources, from only the parts that are computed."""
    mix = Audio(torch.stack([one.samples for one in sources.values()]).sum(0), 8000)
    mixes = stem_mixes(KINDS, residual, wanted)
    parts = {kind: sources[kind] for kind in computed_stems(mixes)}
    return {one.kind: Stem(one, mix, parts).read(0, 500) for one in mixes}


@pytest.mark.parametrize("residual", [None, "other"])
def test_every_stem_is_its_source_and_their_complements_the_rest(
    sources: dict[str, Audio], residual: str | None
) -> None:
    mix = torch.stack([one.samples for one in sources.values()]).sum(0)
    stems = made(sources, residual, *KINDS, *(f"no_{kind}" for kind in KINDS))
    for kind, source in sources.items():
        assert torch.allclose(stems[kind], source.samples, atol=1e-5)
        assert torch.allclose(stems[kind] + stems[f"no_{kind}"], mix, atol=1e-5)


def test_only_needed_stems_are_computed() -> None:
    assert computed_stems(stem_mixes(KINDS, None, ["vocals", "no_vocals"])) == ("vocals",)
    assert computed_stems(stem_mixes(KINDS, "other", ["vocals"])) == ("vocals",)
    assert "other" not in computed_stems(stem_mixes(KINDS, "other", KINDS))


def test_order_is_kept_and_repeats_are_dropped() -> None:
    kinds = [one.kind for one in stem_mixes(KINDS, None, ["vocals", "drums", "vocals"])]
    assert kinds == ["vocals", "drums"]


@pytest.mark.parametrize("wanted", [[], ["banjo"], ["no_banjo"], ["no_no_vocals"]])
def test_unknown_stems_are_refused(wanted: list[str]) -> None:
    with pytest.raises(InvalidInput):
        stem_mixes(KINDS, None, wanted)
