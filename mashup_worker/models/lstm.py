"""Bidirectional LSTM that torch compiles as one operator, and that cuDNN runs without copies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import torch
from torch import nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

_TILE = 16
"""Half-precision sequences that a CPU multiplies at once: 239 take three times as long as 240."""


@torch.library.custom_op(
    "mashup_worker::bidirectional_lstm",
    mutates_args=(),
    schema="(Tensor sequences, Tensor[] weights) -> Tensor",
)
def _run(sequences: Tensor, weights: list[Tensor]) -> Tensor:
    """Run one layer: an operator of its own, since torch would unroll all steps to compile it."""
    state = sequences.new_zeros(2, sequences.shape[1], weights[1].shape[1])
    made: Tensor = torch._VF.lstm(
        sequences, (state, state), weights, True, 1, 0.0, False, True, False
    )[0]
    return made


OPERATOR = torch.ops.mashup_worker.bidirectional_lstm
"""The operator, for tools that watch operators."""


@_run.register_fake
def _(sequences: Tensor, weights: list[Tensor]) -> Tensor:
    return sequences.new_empty(*sequences.shape[:2], 2 * weights[1].shape[1])


class BidirectionalLstm(nn.Module):
    """One layer in both directions.

    Args:
        lstm: holds the weights, and keeps them in one block of memory on CUDA, as cuDNN needs them.
    """

    def __init__(self, lstm: nn.LSTM) -> None:
        super().__init__()
        self.lstm = lstm
        self._weights: list[Tensor] = lstm._flat_weights  # type: ignore[assignment]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Keep the weights at hand as they are after a move: torch compiles no use of `lstm`."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self._weights = self.lstm._flat_weights  # type: ignore[assignment]
        return self

    @property
    def dtype(self) -> torch.dtype:
        """Type of the sequences and of the products."""
        return self._weights[0].dtype

    def forward(self, sequences: Tensor) -> Tensor:
        """Shape: `(steps, sequences, channels)` to `(steps, sequences, 2 * hidden)`."""
        count = sequences.shape[1]
        if sequences.device.type == "cpu" and self.dtype != torch.float32:
            sequences = F.pad(sequences, (0, 0, 0, -count % _TILE))
        made: Tensor = _run(sequences, self._weights)
        return made[:, :count]
