"""Memory of the fake device."""

from __future__ import annotations

import pytest
import torch

from tests.fake_cuda import out_of_memory
from tests.fake_cuda.findings import DEFECTS, found
from tests.fake_cuda.memory import MEMORY
from tests.unit.fake_cuda.device import recorded

pytestmark = pytest.mark.skipif(torch.version.cuda is None, reason="needs a CUDA build of torch")


def test_memory_is_counted_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.cuda.memory_allocated()
    held = torch.ones(1 << 20, device="cuda")
    assert held[1:].view(-1).is_cuda
    assert torch.cuda.memory_allocated() - before == held.nbytes
    free, total = torch.cuda.mem_get_info()
    assert total - free >= torch.cuda.memory_reserved() >= held.nbytes
    torch.cuda.reset_peak_memory_stats()
    held = held + 1
    assert torch.cuda.max_memory_reserved() - before == 2 * held.nbytes
    monkeypatch.setattr(MEMORY, "total_bytes", before + held.nbytes)
    with pytest.raises(torch.OutOfMemoryError):
        held + 1
    assert torch.cuda.memory_allocated() - before == held.nbytes


def test_chosen_launches_run_out_of_memory() -> None:
    x = torch.ones(3, 2, device="cuda")
    with out_of_memory(lambda shapes, recorded: recorded and any(shape[0] > 2 for shape in shapes)):
        _ = x + 1
        recorded(lambda: x[:2] + 1)
        with pytest.raises(torch.OutOfMemoryError):
            recorded(lambda: x + 1)
    recorded(lambda: x + 1)
    assert not found(*DEFECTS)
