"""Run one network on windows, on its device and with its arithmetic."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from mashup_worker.models.device import HALF, arithmetic
from mashup_worker.models.graphs import CapturedCore, CompiledCore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from mashup_worker.models.device import Precision
    from mashup_worker.models.network import Core, NetworkCore, SeparationNetwork


@dataclass(frozen=True)
class Arithmetic:
    """Where and how networks run.

    Attributes:
        precision: arithmetic of the products; transforms and statistics are fp32.
        compiled: whether torch compiles the networks, which takes up to minutes at first.
    """

    device: torch.device
    precision: Precision
    compiled: bool = False

    @property
    def captures(self) -> bool:
        """Whether networks are recorded as CUDA graphs, one for each size of batch."""
        return self.device.type == "cuda"


class NetworkRunner:
    """A network on its device.

    The core runs in the precision set, compiled and captured; a network without one runs as it is,
    in half precision by autocast.
    """

    def __init__(self, network: SeparationNetwork, how: Arithmetic) -> None:
        """Cast the network and move it to the device, in place."""
        self.profile = network.profile
        self._how = how
        self._compiled: CompiledCore | None = None
        self._captured: CapturedCore | None = None
        self._exact = network  # where no window runs in another precision than the rest
        if how.precision == "fp16" and network.core is not None:
            self._exact = copy.deepcopy(network).to(how.device)
        if network.core is not None:
            self._prepare(network, network.core)
        self.network = network.to(how.device).eval()

    @property
    def is_compiled(self) -> bool:
        """Whether the network has run, and every run of its core was compiled."""
        return self._compiled is not None and self._compiled.is_compiled

    @property
    def is_captured(self) -> bool:
        """Whether the network has run, and its core replays CUDA graphs."""
        return self._captured is not None and self._captured.is_captured

    def records(self, *, exact: bool) -> bool:
        """Return whether each size of batch is recorded, so that sizes should be few."""
        return self._captured is not None and not exact

    def forget(self) -> None:
        """Release the memory of recordings."""
        if self._captured is not None:
            self._captured.forget()

    def run(self, windows: Tensor, rows: Sequence[int], *, exact: bool = False) -> Tensor:
        """Run `windows`, fp32 on the device, shape `(windows, channels, samples)`.

        Returns:
            The stems `rows`, fp32 on the device, shape `(windows, rows, channels, samples)`.
            `exact` computes them in fp32 instead of the precision set.
        """
        network = self._exact if exact else self.network
        precision: Precision = "fp32" if exact else self._how.precision
        with arithmetic(precision, self._how.device, autocast=network.core is None):
            made: Tensor = network(windows, rows)
            return made

    def _prepare(self, network: SeparationNetwork, core: NetworkCore) -> None:
        """Cast the core, move it to the device, and wrap it as `Arithmetic` says."""
        how = self._how
        core.cast(HALF.get(how.precision, torch.float32))
        if how.captures and how.precision in HALF:  # for tensor cores
            core.align_channels()
        run: Core = core.to(how.device)
        if how.compiled:
            run = self._compiled = CompiledCore(run)
        if how.captures:
            run = self._captured = CapturedCore(run)
        network.run_core_by(run)
