"""Peak memory of a block of work, on the device and on the host."""

from __future__ import annotations

import gc
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from types import TracebackType

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"
"""Value that resets `VmHWM`, the kernel's peak, to the resident size (proc(5))."""


@dataclass
class PeakMemory:
    """Peak memory while the block runs; run timed work once before.

    On CUDA it counts the memory reserved by torch's allocator after emptying its cache: allocated
    tensors alone would miss the memory of recorded graphs.

    Attributes:
        device: device to watch beside the host.
        host_bytes: peak of the process in the block; since its start where the system cannot reset
            it.
        device_bytes: peak reserved on the device beyond the amount before the block; None on a CPU
            and where torch does not count it.
    """

    device: torch.device
    host_bytes: int = 0
    device_bytes: int | None = None
    _before: int = 0

    def __enter__(self) -> PeakMemory:
        reset_host_peak()
        if self.device.type == "cuda":
            self._before = held_bytes(self.device)
            torch.cuda.reset_peak_memory_stats(self.device)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.host_bytes = host_peak_bytes()
        if self.device.type == "cuda":
            self.device_bytes = torch.cuda.max_memory_reserved(self.device) - self._before


def held_bytes(device: torch.device) -> int:
    """Return the bytes of tensors and graphs on a CUDA device; 0 where torch counts none."""
    if device.type != "cuda":
        return 0
    gc.collect()
    torch.cuda.synchronize(device)
    torch.cuda.empty_cache()
    return torch.cuda.memory_reserved(device)


def reset_host_peak() -> bool:
    """Reset the peak; return False where the system cannot."""
    try:
        _CLEAR_REFS.write_text(_RESET_PEAK)
    except OSError:
        return False
    return True


def host_peak_bytes() -> int:
    """Return the peak of this process since `reset_host_peak`, or since its start."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return _peak_of_life()
    mark = next((line for line in lines if line.startswith("VmHWM")), None)
    return int(mark.split()[1]) * 1024 if mark else _peak_of_life()


def _peak_of_life() -> int:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
