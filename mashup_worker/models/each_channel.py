"""Mono networks on stereo sound: the channels are separated one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mashup_worker.models.network import SeparationNetwork

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from mashup_worker.models.network import Core


class EachChannel(SeparationNetwork):
    """Stereo network that runs a mono network on both channels, as two windows of a batch."""

    def __init__(self, mono: SeparationNetwork) -> None:
        profile = mono.profile
        super().__init__(
            replace(profile, channels=2, window_bytes=2 * profile.window_bytes), mono.core
        )
        self._mono = mono

    def run_core_by(self, run: Core) -> None:
        """See `SeparationNetwork.run_core_by`."""
        self._mono.run_core_by(run)

    def forward(self, windows: Tensor, rows: Sequence[int] | None = None) -> Tensor:
        """See `SeparationNetwork.forward`."""
        made: Tensor = self._mono(windows.flatten(0, 1)[:, None], rows)
        # (batch * 2, rows, 1, samples) to (batch, rows, 2, samples).
        both: Tensor = made.squeeze(2).unflatten(0, (-1, 2)).movedim(1, 2)
        return both


def stereo(network: SeparationNetwork) -> SeparationNetwork:
    """Return a network of two channels."""
    return EachChannel(network) if network.profile.channels == 1 else network
