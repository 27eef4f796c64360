"""Runs a network on batches of windows, within the device's memory and number range."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from mashup_worker.errors import OutOfMemory
from mashup_worker.models.device import arithmetic, is_out_of_memory, release_memory
from mashup_worker.models.shortages import note_shortage

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mashup_worker.models.device import Precision

_FP16_CREST = 20.0
"""Peak over RMS from which a window runs in fp32 instead of fp16.

Networks divide a window by its deviation. Bursts in silence keep peaks far above it, and such
windows were seen to overflow fp16 or to land below 14 dB of the fp32 result.
"""

_CUDA_BYTES_PER_WINDOW = 2 << 30
_CUDA_MAX_BATCH = 16


class NetworkRunner:
    """Runs windows through a network in batches that fit.

    Attributes:
        batch: windows run at once. Halved for good whenever the device runs out of memory.
    """

    def __init__(self, device: torch.device, precision: Precision, batch: int | None) -> None:
        self.device = device
        self.precision = precision
        self.batch = batch or _default_batch(device)

    def run(self, network: nn.Module, windows: Tensor) -> Tensor:
        """Run `windows`, shape `(windows, channels, samples)`, on the CPU.

        Returns:
            fp32 on the device, shape `(windows, stems, channels, samples)`.

        Raises:
            OutOfMemory: one window alone does not fit.
        """
        while True:
            try:
                return torch.cat(
                    [self._forward(network, w) for w in torch.split(windows, self.batch)]
                )
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                if self.batch == 1:
                    raise OutOfMemory(
                        f"{self.device} has too little memory for one segment at a time"
                    ) from error
            note_shortage()
            self.batch = max(1, min(self.batch, len(windows)) // 2)
            release_memory(self.device)

    def _forward(self, network: nn.Module, windows: Tensor) -> Tensor:
        if self.precision != "fp16":
            return self._compute(network, windows, self.precision)
        estimate = self._compute(network, windows, "fp16")
        unsafe = (_crest(windows) > _FP16_CREST).to(self.device)
        unsafe |= ~estimate.isfinite().flatten(1).all(1)
        if unsafe.any():
            estimate[unsafe] = self._compute(network, windows[unsafe.cpu()], "fp32")
        return estimate

    def _compute(self, network: nn.Module, windows: Tensor, precision: Precision) -> Tensor:
        with arithmetic(precision, self.device):
            estimate: Tensor = network(windows.to(self.device, non_blocking=True))
            return estimate.float()


def _crest(windows: Tensor) -> Tensor:
    """Peak over RMS of each window, shape `(windows,)`; 0 for silence."""
    flat = windows.flatten(1)
    return flat.abs().amax(1) / flat.square().mean(1).sqrt().clamp(min=1e-12)


def _default_batch(device: torch.device) -> int:
    """One window at a time on a CPU, where more is slower; what memory holds on CUDA."""
    if device.type != "cuda":
        return 1
    free_bytes, _ = torch.cuda.mem_get_info(device)
    return max(1, min(_CUDA_MAX_BATCH, free_bytes // _CUDA_BYTES_PER_WINDOW))
