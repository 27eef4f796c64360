"""The steps on a fake device: all of them, tiny, on a machine without a GPU.

The figures mean nothing.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks.gpu.scale import Scale

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MODEL = "tiny"


def scale(folder: Path) -> Scale:
    """Return the smallest sizes that every step accepts; writes the networks into a folder."""
    from mashup_worker.bench.networks import save_repository
    from tests.gpu.networks import tiny_network

    save_repository(folder, tiny_network(), _MODEL)
    return Scale(
        device="cuda",
        song_s=1.0,
        mashup_s=6.0,
        rounds=1,
        songs=2,
        in_flight=2,
        processes=(1, 2),
        songs_each=1,
        model=("--model", _MODEL, "--model-repo", str(folder), "--batch", "2"),
        tests=("tests/unit/dsp/test_true_peak.py",),
        test_options=("-p", "tests.fake_cuda.plugin"),
        patience=10.0,
    )


def preload(folder: Path) -> None:
    """Import what the steps need, once for all of the processes that are forked.

    Much of it is imported where it is first used, so a second of sound is separated.
    """
    import gc
    import importlib

    import torch

    from mashup_worker.audio.signal import Audio
    from mashup_worker.models.checkpoints.repository import load_bag
    from mashup_worker.models.engine import EngineOptions, NetworkSeparator

    for module in ("mashup_worker.commands.bench.run", "torch._dynamo"):
        importlib.import_module(module)
    with fake_device():
        separator = NetworkSeparator(_MODEL, load_bag(_MODEL, folder), EngineOptions("cuda"))
        for _ in separator.stream(Audio(torch.zeros(2, 44_100), 44_100)):
            pass
    gc.freeze()  # or every collection in a step goes through all of it again


@contextmanager
def fake_device(module: str = "") -> Iterator[None]:
    """Run the block on the fake device, with small probes and short sweeps.

    pytest has the device by a plugin of its own.
    """
    if module == "pytest":
        yield
        return
    from mashup_worker.bench import ceilings, parallel, separation
    from mashup_worker.commands.bench import plan
    from mashup_worker.models import graphs
    from tests.fake_cuda import pretend

    ceilings.CUDA_PROBES = ceilings.ProbeSizes(64, 1 << 20, 1 << 20, seconds=0.01)
    separation.CUDA_BATCHES = (1,)
    plan.GPU_IN_FLIGHT = (1, (1,))
    parallel.START_METHOD = "fork"  # another process would not have the device
    graphs._WARM_UP_RUNS = 1  # libraries that choose algorithms in the first runs are not there
    with pretend():
        yield
