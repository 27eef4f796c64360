"""The models that a worker process keeps on its GPU."""

from __future__ import annotations

import gc
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import torch

from mashup_worker.errors import DeviceLost
from mashup_worker.models.digests import MANIFEST, manifest_text
from mashup_worker.models.engine import NetworkSeparator
from mashup_worker.pipelines.separation.separate import separate_audio
from mashup_worker.settings import Settings
from mashup_worker.system.digests import file_sha256
from mashup_worker.worker.model_cache import ModelCache
from tests.checkpoints import save_bag, save_safetensors
from tests.engines import music
from tests.gpu.networks import LEAST_DB, assert_near, tiny_network

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.gpu

NAMES = ("htdemucs", "htdemucs_ft", "htdemucs_6s")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A cache of weights that holds a tiny network by the names of real models."""
    cache = tmp_path_factory.mktemp("models")
    for name in NAMES:
        folder = cache / name
        folder.mkdir()
        save_safetensors(folder, "tiny", tiny_network())
        save_bag(folder, name, models=["tiny"])
        digests = {file.name: file_sha256(file) for file in folder.iterdir()}
        (folder / MANIFEST).write_text(manifest_text(digests))
    return Settings(model_cache=cache, offline=True)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """One window at a time, since recording a batch of every size takes time."""
    monkeypatch.setattr("mashup_worker.models.batcher._CUDA_MAX_BATCH", 1)


@pytest.mark.usefixtures("small_batches")
def test_the_default_model_is_compiled_recorded_and_used(settings: Settings) -> None:
    models = ModelCache(settings, default="auto", device="cuda", compiled=True)
    models.warm_up()
    separator = models.separator(None)
    assert separator is models.separator(None)
    assert isinstance(separator, NetworkSeparator)
    assert (separator.name, separator.device, models.device) == ("htdemucs", "cuda:0", "cuda:0")
    assert separator.precision in ("bf16", "fp16")
    assert all(network.is_compiled and network.is_captured for network in separator._networks)
    song = music(0.7)
    on_cpu = ModelCache(settings, default="htdemucs", device="cpu", precision="fp32")
    there, here = (separate_audio(each.separator(None), song) for each in (models, on_cpu))
    for kind, stem in here.items():
        assert_near(there[kind].samples, stem.samples, LEAST_DB[separator.precision])


def test_every_model_is_warm_before_its_first_song(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    warmed: list[str] = []
    monkeypatch.setattr(NetworkSeparator, "warm_up", lambda self: warmed.append(self.name))
    models = ModelCache(settings, default=NAMES[0], device="cuda", precision="fp32")
    for name in (NAMES[1], NAMES[0], NAMES[1]):
        models.separator(name)
    assert warmed == [NAMES[1], NAMES[0]]


@pytest.mark.usefixtures("small_batches")
def test_the_model_that_was_used_longest_ago_leaves_the_device(settings: Settings) -> None:
    models = ModelCache(settings, default="htdemucs", device="cuda", precision="fp32")
    first, second = (weakref.ref(models.separator(name)) for name in NAMES[:2])
    models.separator(NAMES[0])
    gc.collect()
    held_bytes = torch.cuda.memory_allocated()
    models.separator(NAMES[2])
    gc.collect()
    assert first() is models.separator(NAMES[0])
    assert second() is None
    assert torch.cuda.memory_allocated() == pytest.approx(held_bytes, rel=0.1)


def test_memory_that_a_job_has_freed_goes_back_to_the_device(settings: Settings) -> None:
    models = ModelCache(settings, default="htdemucs", device="cuda")
    del_me = torch.zeros(1 << 24, device="cuda")
    size_bytes, reserved_bytes = del_me.nbytes, torch.cuda.memory_reserved()
    del del_me
    models.free_memory()
    assert torch.cuda.memory_reserved() <= reserved_bytes - size_bytes


@pytest.mark.usefixtures("small_batches")
def test_a_device_lost_at_warm_up_is_not_taken_for_missing_weights(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process would go on with an allocator that serves it no more."""
    plain = torch.cuda.graph

    @contextmanager
    def graph(*args: Any, **kwargs: Any) -> Iterator[None]:
        with plain(*args, **kwargs):
            yield
        raise RuntimeError("CUDA error: operation failed due to a previous error during capture")

    monkeypatch.setattr(torch.cuda, "graph", graph)
    models = ModelCache(settings, default="htdemucs", device="cuda", precision="fp32")
    with pytest.raises(DeviceLost):
        models.warm_up()
