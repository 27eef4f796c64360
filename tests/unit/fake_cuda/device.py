"""Findings, pinned memory, recordings and threads of the fake device."""

from __future__ import annotations

import gc
import threading
from typing import TYPE_CHECKING, Any

import torch

from tests.fake_cuda import FOUND, FakeCudaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


def kinds() -> set[str]:
    """Kinds found so far; memory counts once it is freed."""
    gc.collect()
    return {one.kind for one in FOUND}


def pinned(*shape: int) -> Tensor:
    return torch.ones(shape).pin_memory()


def recorded(work: Callable[[], Tensor], **options: Any) -> tuple[torch.cuda.CUDAGraph, Tensor]:
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=torch.cuda.Stream(), **options):
        made = work()
    return graph, made


def in_another_thread(work: Callable[[], object]) -> list[BaseException]:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except FakeCudaError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return errors
