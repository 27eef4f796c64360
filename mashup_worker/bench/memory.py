"""Peak memory of a stretch of work, on the device and on the host."""

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
"""What sets `VmHWM`, the kernel's own mark, to what is resident now (proc(5))."""


@dataclass
class PeakMemory:
    """Watches the block that it is entered for. Give what is timed a round before it, afterwards.

    On CUDA it counts what torch's allocator has reserved, and empties its cache first: tensors
    alone would not show the memory that recorded graphs keep.

    Attributes:
        device: whose memory is watched beside the host's.
        host_bytes: after the block, the most that the process held while it ran; where the system
            can't start anew, since the process began.
        device_bytes: after the block, the most that was reserved on the device beyond what was
            before it; None on a CPU, where it is the same memory, and where torch does not count.
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
    """What tensors and recorded graphs hold on a CUDA device; 0 where torch does not count it."""
    if device.type != "cuda":
        return 0
    gc.collect()
    torch.cuda.synchronize(device)
    torch.cuda.empty_cache()
    return torch.cuda.memory_reserved(device)


def reset_host_peak() -> bool:
    """Let the peak start anew; False where the system has no such thing."""
    try:
        _CLEAR_REFS.write_text(_RESET_PEAK)
    except OSError:
        return False
    return True


def host_peak_bytes() -> int:
    """The most that this process has held since `reset_host_peak`, or since it began."""
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
