"""fp32 is exact wherever it is computed, and TF32 only where it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from mashup_worker.dsp.metrics import snr_db
from mashup_worker.dsp.polyphase import converted
from mashup_worker.models import fp32
from mashup_worker.models.device import arithmetic, resolve_device, searching_algorithms
from mashup_worker.models.lite.separator import load_lite
from mashup_worker.pipelines.analysis.steps import resolve_analysis_device
from tests.engines import engine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mashup_worker.models.fp32 import Fp32

CUDA = torch.device("cuda", 0)

pytestmark = pytest.mark.usefixtures("as_torch_starts")


def settings() -> tuple[Any, ...]:
    """Return what torch's newer settings say, of products, convolutions and recurrent networks."""
    backends: Any = torch.backends
    kinds = backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn
    return tuple(kind.fp32_precision for kind in kinds)


@pytest.mark.parametrize(
    ("choice", "products", "convolutions"),
    [("ieee", "ieee", "ieee"), ("tf32", "tf32", "tf32"), ("torch", "ieee", "tf32")],
)
def test_newer_and_older_settings_of_torch_agree(
    choice: Fp32, products: str, convolutions: str
) -> None:
    """torch raises where an older one is read and contradicts a newer one, as libraries do."""
    fp32.set_fp32("tf32")
    fp32.set_fp32(choice)
    assert settings() == (products, convolutions, convolutions)
    assert torch.backends.cuda.matmul.allow_tf32 == (products == "tf32")
    assert torch.backends.cudnn.allow_tf32 == (convolutions == "tf32")
    assert torch.get_float32_matmul_precision() == ("high" if products == "tf32" else "highest")


@pytest.mark.parametrize("resolve", [resolve_device, resolve_analysis_device])
@pytest.mark.parametrize("name", ["auto", "cuda", "cuda:0"])
def test_the_first_use_of_cuda_makes_fp32_exact(
    name: str, resolve: Callable[[str], torch.device], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    assert settings()[1] == "tf32"
    assert resolve(name) == CUDA
    assert settings() == ("ieee",) * 3


def test_the_choice_of_an_engine_outlives_other_uses_of_the_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An analysis beside a song in TF32 must not change the song."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    fp32.set_fp32("tf32")
    resolve_device("cuda")
    assert settings() == ("tf32",) * 3


@pytest.mark.parametrize("choice", ["ieee", "torch"])
def test_a_measurement_restores_the_choice(choice: Fp32) -> None:
    fp32.set_fp32(choice)
    with fp32.fp32("tf32"):
        assert settings() == ("tf32",) * 3
    assert settings() == ("ieee", *["tf32" if choice == "torch" else "ieee"] * 2)
    fp32.exact_unless_set()
    assert settings() == ("ieee", *["tf32" if choice == "torch" else "ieee"] * 2)


def test_a_process_that_only_measured_has_chosen_nothing() -> None:
    with fp32.fp32("tf32"):
        pass
    fp32.exact_unless_set()
    assert settings() == ("ieee",) * 3


@pytest.mark.parametrize("precision", ["fp32", "tf32"])
def test_threads_of_songs_change_no_setting_of_the_process(precision: Any) -> None:
    for choice in ("ieee", "tf32"):
        fp32.set_fp32(choice)
        before = settings(), torch.backends.cudnn.benchmark
        with arithmetic(precision, CUDA):
            assert (settings(), torch.backends.cudnn.benchmark) == before
        assert (settings(), torch.backends.cudnn.benchmark) == before


@pytest.mark.parametrize(("device", "searches"), [(torch.device("cpu"), False), (CUDA, True)])
def test_algorithms_are_searched_where_that_is_asked_for_only(
    device: torch.device, searches: bool
) -> None:
    with searching_algorithms(device):
        assert torch.backends.cudnn.benchmark == searches
    assert not torch.backends.cudnn.benchmark


@pytest.mark.gpu
def test_the_last_engine_decides_about_fp32(repository: Path) -> None:
    engine(repository, "td0", device="cuda", precision="tf32")
    assert settings() == ("tf32",) * 3
    engine(repository, "td0", device="cuda", precision="bf16")
    assert settings() == ("ieee",) * 3
    load_lite("cuda", "tf32")
    assert settings() == ("tf32",) * 3
    load_lite("cuda", "fp32")
    assert settings() == ("ieee",) * 3


@pytest.mark.gpu
def test_a_song_is_resampled_exactly_on_the_device() -> None:
    """TF32 leaves 71 dB, which is 15 steps of 16 bits."""
    device = resolve_device("cuda")
    noise = torch.randn(2, 48_000, generator=torch.Generator().manual_seed(0))
    expected = converted(noise, 48_000, 44_100, 44_100)
    made = converted(noise.to(device), 48_000, 44_100, 44_100)
    assert snr_db(made.cpu(), expected) > 110
