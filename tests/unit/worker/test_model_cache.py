"""Models that are added, replaced and removed while a worker runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mashup_worker.errors import UnknownModel
from mashup_worker.models.checkpoints.adding import Addition, add_checkpoint
from mashup_worker.models.store import WeightStore
from mashup_worker.settings import Settings
from mashup_worker.worker.model_cache import ModelCache
from tests.msst import save_pair

if TYPE_CHECKING:
    from pathlib import Path


def test_a_worker_uses_the_models_that_are_in_the_cache_now(tmp_path: Path) -> None:
    settings = Settings(model_cache=tmp_path / "cache", offline=True)
    store, models = WeightStore(settings), ModelCache(settings, default="lite", device="cpu")
    with pytest.raises(UnknownModel):
        models.separator("own")
    seen = []
    for seed in (0, 1):
        checkpoint, config = save_pair(tmp_path, "own", "scnet", seed)
        add_checkpoint(Addition(file=checkpoint, config=config, license="MIT"), store)
        seen.append(models.separator("own"))
        assert models.separator("own") is seen[-1]
        assert seen[-1].license.id == "MIT"
        store.remove("own")
    assert seen[0] is not seen[1]
    with pytest.raises(UnknownModel):
        models.separator("own")
