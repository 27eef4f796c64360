"""Arithmetic of float32 products and convolutions on CUDA, which is a setting of the process.

cuDNN computes float32 convolutions in TF32 by default, and every step of a pipeline has some:
resampling, envelopes, limiting. A setting that one thread changed around its own work
would change the work of all others, so it is made once: exact when a CUDA device is first used, and
anew when an engine is loaded.
"""

from __future__ import annotations

from contextlib import contextmanager
from threading import RLock
from typing import TYPE_CHECKING, Any, Literal

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

Fp32 = Literal["ieee", "tf32", "torch"]
"""Arithmetic of float32 on CUDA.

ieee: products and convolutions are exact. tf32: both keep 10 bits of each factor's fraction, on
tensor cores. torch: products are exact and convolutions are TF32, as torch starts.
"""

_lock = RLock()
_chosen: Fp32 | None = None


def set_fp32(choice: Fp32) -> None:
    """Set the arithmetic of all float32 work of this process.

    Call it while no other thread uses the device.
    """
    global _chosen
    with _lock:
        _apply(choice)
        _chosen = choice


def exact_unless_set() -> None:
    """Make float32 exact, unless the process has chosen its arithmetic before."""
    with _lock:
        if _chosen is None:
            set_fp32("ieee")


@contextmanager
def fp32(choice: Fp32) -> Iterator[None]:
    """Set the arithmetic of float32 for a block, and restore it: for measurements.

    The setting is the process's. No other thread must use the device meanwhile.
    """
    global _chosen
    before = _chosen
    set_fp32(choice)
    try:
        yield
    finally:
        _apply(before or "torch")
        _chosen = before


def _apply(choice: Fp32) -> None:
    products, convolutions = choice == "tf32", choice != "ieee"
    # torch raises where its older flags are read and contradict the newer settings. So both are
    # set, the older ones first: they clear the newer ones.
    torch.backends.cuda.matmul.allow_tf32 = products
    torch.backends.cudnn.allow_tf32 = convolutions
    torch.backends.cuda.matmul.fp32_precision = "tf32" if products else "ieee"
    kinds: tuple[Any, ...] = (torch.backends.cudnn.conv, torch.backends.cudnn.rnn)  # type: ignore[attr-defined]
    for kind in kinds:
        kind.fp32_precision = "tf32" if convolutions else "ieee"
