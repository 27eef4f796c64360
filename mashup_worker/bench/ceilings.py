"""What a device can do at best: large products, large copies."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, get_args

import torch

from mashup_worker.bench.measure import synchronise, timed_s
from mashup_worker.models.device import Precision, arithmetic, cpu_multiplies_bf16

if TYPE_CHECKING:
    from collections.abc import Callable

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
_LEAST_S = 0.4
"""How long each ceiling is looked for, once warm."""

_CUDA_SIDE, _CPU_SIDE = 8192, 2048
_CUDA_COPY_BYTES, _CPU_COPY_BYTES = 2 << 30, 512 << 20


def precisions(device: torch.device) -> tuple[Precision, ...]:
    """Arithmetic that the device does in hardware, the most exact first."""
    known: tuple[Precision, ...] = get_args(Precision)
    if device.type == "cuda":
        ampere = torch.cuda.get_device_capability(device) >= (8, 0)
        return known if ampere else ("fp32", "fp16")
    if device.type == "cpu":
        return ("fp32", "bf16") if cpu_multiplies_bf16() else ("fp32",)
    return "fp32", "fp16"


def product_rate(device: torch.device, precision: Precision, side: int | None = None) -> float:
    """Operations a second of the product of two square matrices, the best of several."""
    side = side or (_CUDA_SIDE if device.type == "cuda" else _CPU_SIDE)
    dtype = _DTYPES.get(precision, torch.float32)
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    made = torch.empty(side, side, device=device, dtype=dtype)
    # Half precisions are those of the tensors here: autocast would copy them first.
    exact: Precision = "fp32" if precision == "fp32" else "tf32"
    with arithmetic(exact if device.type == "cuda" else "fp32", device):
        return 2 * side**3 / _best_s(lambda: torch.mm(left, right, out=made), device)


def copy_rate(device: torch.device, size_bytes: int | None = None) -> float:
    """Bytes read plus bytes written a second, by a copy too large for any cache."""
    size = size_bytes or _copy_bytes(device)
    source = torch.ones(size // 4, device=device)
    target = torch.empty_like(source)
    return 2 * size / _best_s(lambda: target.copy_(source), device)


def _copy_bytes(device: torch.device) -> int:
    if device.type != "cuda":
        return _CPU_COPY_BYTES
    free_bytes, _ = torch.cuda.mem_get_info(device)
    return min(_CUDA_COPY_BYTES, free_bytes // 4 // 4 * 4)


def bus_rates(device: torch.device, size_bytes: int = 256 << 20) -> tuple[float, float]:
    """Bytes a second to a CUDA device from pinned memory, and back."""
    host = torch.ones(size_bytes // 4).pin_memory()
    there = torch.empty_like(host, device=device)
    to_s = _best_s(lambda: there.copy_(host, non_blocking=True), device)
    from_s = _best_s(lambda: host.copy_(there, non_blocking=True), device)
    return size_bytes / to_s, size_bytes / from_s


def _best_s(work: Callable[[], object], device: torch.device) -> float:
    timed_s(work, device)
    best_s, stop = timed_s(work, device), time.perf_counter() + _LEAST_S
    while time.perf_counter() < stop:
        best_s = min(best_s, timed_s(work, device))
    synchronise(device)
    return best_s
