"""Limits of a device: rates of large products and large copies."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import torch

from mashup_worker.bench.measure import synchronize, timed_s
from mashup_worker.models.device import Precision, cpu_multiplies_bf16
from mashup_worker.models.fp32 import fp32

if TYPE_CHECKING:
    from collections.abc import Callable

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class ProbeSizes:
    """Sizes of the probes, and the time for which each is repeated; the best run counts.

    Attributes:
        matrix_side: side of the square matrices.
        copy_bytes: bytes copied within the device's memory, at most a quarter of the free memory.
        bus_bytes: bytes copied between host and device.
    """

    matrix_side: int
    copy_bytes: int
    bus_bytes: int = 256 << 20
    seconds: float = 0.4


CUDA_PROBES = ProbeSizes(matrix_side=8192, copy_bytes=2 << 30)
CPU_PROBES = ProbeSizes(matrix_side=2048, copy_bytes=512 << 20)


def probe_sizes(device: torch.device) -> ProbeSizes:
    """Return sizes that exceed every cache of the device."""
    return CUDA_PROBES if device.type == "cuda" else CPU_PROBES


def precisions(device: torch.device) -> tuple[Precision, ...]:
    """Return the precisions that the device supports in hardware, the most exact first."""
    known: tuple[Precision, ...] = get_args(Precision)
    if device.type == "cuda":
        ampere = torch.cuda.get_device_capability(device) >= (8, 0)
        return known if ampere else ("fp32", "fp16")
    if device.type == "cpu":
        return ("fp32", "bf16") if cpu_multiplies_bf16() else ("fp32",)
    return "fp32", "fp16"


def product_rate(
    device: torch.device, precision: Precision, sizes: ProbeSizes | None = None
) -> float:
    """Return the operations per second of a product of square matrices, the best of several."""
    sizes = sizes or probe_sizes(device)
    side, dtype = sizes.matrix_side, _DTYPES.get(precision, torch.float32)
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    made = torch.empty(side, side, device=device, dtype=dtype)
    with fp32("tf32" if precision == "tf32" else "ieee"):
        best_s = _best_s(lambda: torch.mm(left, right, out=made), device, sizes.seconds)
    return 2 * side**3 / best_s


def copy_rate(device: torch.device, sizes: ProbeSizes | None = None) -> float:
    """Return the bytes read plus written per second by a copy that exceeds every cache."""
    sizes = sizes or probe_sizes(device)
    size = sizes.copy_bytes
    if device.type == "cuda":
        free_bytes, _ = torch.cuda.mem_get_info(device)
        size = min(size, free_bytes // 4)
    source = torch.ones(size // 4, device=device)
    target = torch.empty_like(source)
    return 2 * source.nbytes / _best_s(lambda: target.copy_(source), device, sizes.seconds)


def bus_rates(device: torch.device, sizes: ProbeSizes | None = None) -> tuple[float, float]:
    """Return the bytes per second from pinned memory to a CUDA device, and back."""
    sizes = sizes or probe_sizes(device)
    host = torch.ones(sizes.bus_bytes // 4).pin_memory()
    there = torch.empty(host.shape, device=device)
    to_s = _best_s(lambda: there.copy_(host, non_blocking=True), device, sizes.seconds)
    from_s = _best_s(lambda: host.copy_(there, non_blocking=True), device, sizes.seconds)
    return host.nbytes / to_s, host.nbytes / from_s


def _best_s(work: Callable[[], object], device: torch.device, seconds: float) -> float:
    timed_s(work, device)
    best_s, stop = timed_s(work, device), time.perf_counter() + seconds
    while time.perf_counter() < stop:
        best_s = min(best_s, timed_s(work, device))
    synchronize(device)
    return best_s
