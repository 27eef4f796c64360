"""The device that a benchmark runs on, and how much of its memory was in use at most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    import argparse


def add_device_option(parser: argparse.ArgumentParser) -> None:
    """Add `--device`, which is a GPU by default where the machine has one."""
    parser.add_argument(
        "--device", default="auto", help="auto, cuda, cuda:N, cpu or mps (default: auto)"
    )


class DeviceMemory:
    """Peak of the memory in use on a CUDA device, by any process, above the use before.

    It is read whenever `look` is called: a shorter peak goes unseen.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._before = self._most = self._used_bytes()

    def look(self) -> None:
        """Read the memory in use now."""
        self._most = max(self._most, self._used_bytes())

    @property
    def peak_bytes(self) -> int | None:
        """The most so far; None on other devices than CUDA."""
        return self._most - self._before if self._device.type == "cuda" else None

    def _used_bytes(self) -> int:
        if self._device.type != "cuda":
            return 0
        free_bytes, total_bytes = torch.cuda.mem_get_info(self._device)
        return total_bytes - free_bytes
