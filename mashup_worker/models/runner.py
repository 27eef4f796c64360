"""Run one network on windows, on its device and with its arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from mashup_worker.models.device import HALF, arithmetic
from mashup_worker.models.graphs import CapturedCore, CompiledCore
from mashup_worker.models.htdemucs.convert import NotConvertible, convert
from mashup_worker.models.htdemucs.network import HybridNetwork

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor, nn

    from mashup_worker.models.device import Precision
    from mashup_worker.models.htdemucs.network import Core


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

    Networks of the htdemucs kind are converted to this package's own layout, and compiled and
    captured; others run as they are, in half precision by autocast.

    Attributes:
        segment_samples: length of the segments that it was made for.
        valid_length: the window length that it takes for a segment's length.
    """

    def __init__(self, network: nn.Module, how: Arithmetic) -> None:
        self._how = how
        self.sample_rate = int(network.samplerate)  # type: ignore[arg-type]
        self.segment_samples = int(network.samplerate * network.segment)  # type: ignore[operator]
        self.valid_length: Callable[[int], int] = getattr(network, "valid_length", int)
        self._exact: nn.Module | None = None
        self._compiled: CompiledCore | None = None
        self._captured: CapturedCore | None = None
        try:
            converted = convert(network)
        except NotConvertible:
            self.network = network.to(how.device).eval()
            self._exact = self.network
            return
        if how.precision == "fp16":
            self._exact = convert(network).to(how.device)
        self.network = self._fast(converted)

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
        network = self._exact if exact and self._exact is not None else self.network
        hybrid = isinstance(network, HybridNetwork)
        precision: Precision = "fp32" if exact else self._how.precision
        with arithmetic(precision, self._how.device, autocast=not hybrid):
            if hybrid:
                made: Tensor = network(windows, rows)
                return made
            return network(windows)[:, list(rows)].float()  # type: ignore[no-any-return]

    def _fast(self, network: HybridNetwork) -> HybridNetwork:
        """Cast the network, move it to the device, and wrap its core as `Arithmetic` says."""
        how = self._how
        network.core.cast(HALF.get(how.precision, torch.float32))
        if how.captures and how.precision in HALF:  # for tensor cores
            network.core.align_channels()
        network.to(how.device)
        core: Core = network.core
        if how.compiled:
            core = self._compiled = CompiledCore(core)
        if how.captures:
            core = self._captured = CapturedCore(core)
        network.run_core_by(core)
        return network
