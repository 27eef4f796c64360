"""Network between the transforms: from the spectrogram of the mix to those of the stems."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F

from mashup_worker.models.network import NetworkCore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from mashup_worker.models.layers import Convolution
    from mashup_worker.models.scnet.dual_path import DualPath
    from mashup_worker.models.scnet.layers import Decoder, Encoder


class MaskHead(nn.Module):
    """Layers after the decoder that make masks, with values from -1 to 1 in both parts."""

    def __init__(self, widen: Convolution, narrow: Convolution) -> None:
        super().__init__()
        self.widen = widen
        self.narrow = narrow

    def forward(self, x: Tensor) -> Tensor:
        """Shape: `(batch, frames, rows, channels)` to the same."""
        return torch.tanh(self.narrow(F.gelu(self.widen(x))))


class SparseCore(NetworkCore):
    """Encoder, recurrent layers and decoder.

    Args:
        decoders: decoders, innermost first.
        head: layers of the masked variant.
    """

    def __init__(
        self,
        encoders: list[Encoder],
        dual_path: DualPath,
        decoders: list[Decoder],
        head: MaskHead | None,
    ) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(encoders)
        self.dual_path = dual_path
        self.decoders = nn.ModuleList(decoders)
        self.head = head

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Return spectrograms or masks.

        Shape: float32 `(batch, frames, frequencies, 2 * channels)` to the same with `stems` times
        the channels.
        """
        skips = []
        for encode in self.encoders:
            x, skip = encode(x)
            skips.append(skip)
        x = self.dual_path(x.contiguous())
        for decode in self.decoders:
            x = decode(x, skips.pop())
        return (x if self.head is None else self.head(x),)

    def castable(self) -> Iterator[nn.Parameter]:
        """Return the weights of the recurrent layers.

        The norms of every row raise what convolutions in bf16 lose to less than 40 dB below the
        stems, and on a CPU such convolutions are no faster.
        """
        return self.dual_path.parameters()
