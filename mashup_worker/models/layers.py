"""Layers of several networks.

Tensors are `(batch, frames, rows, channels)`, contiguous. Rows are frequencies, or samples of one
frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from torch import Tensor

MATRIX_UNIT = 8
"""Half-precision channels that a matrix unit multiplies at once; multiples of it are fast."""


class Convolution(nn.Module):
    """Convolution over frames and rows.

    Args:
        weight: shape `(out, in, frames, rows)`.
        bias: shape `(out,)`.
        stride: stride along the rows.
        padding: zeros on both sides of frames and of rows.
        dilation: dilation of the kernel along the frames.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor,
        *,
        stride: int = 1,
        padding: tuple[int, int] = (0, 0),
        dilation: int = 1,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.contiguous(memory_format=torch.channels_last), False)
        self.bias = nn.Parameter(bias.contiguous(), False)
        self._outputs = len(weight)
        self._stride = stride
        self._padding = padding
        self._dilation = dilation

    @property
    def inputs(self) -> int:
        """Input channels, including those added by `align_channels`."""
        return self.weight.shape[1]

    def align_channels(self) -> None:
        """Add channels of zero weight, in place, up to multiples of `MATRIX_UNIT`.

        Inputs may then have the original channels or the added ones too; outputs keep the original.
        """
        spare_outputs, spare_inputs = (-count % MATRIX_UNIT for count in self.weight.shape[:2])
        weight = F.pad(self.weight.data, (0, 0, 0, 0, 0, spare_inputs, 0, spare_outputs))
        self.weight.data = weight.contiguous(memory_format=torch.channels_last)
        self.bias.data = F.pad(self.bias.data, (0, spare_outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Shape: `(batch, frames, rows, in)` to `(batch, frames, rows', out)`."""
        return self._convolve(x, self.weight, self.bias)[..., : self._outputs]

    def halves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the first and the second half of the output channels, each contiguous."""
        weight, bias = self.weight[: self._outputs], self.bias[: self._outputs]
        first, second = zip(weight.chunk(2), bias.chunk(2), strict=True)
        return self._convolve(x, *first), self._convolve(x, *second)

    def _convolve(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        made = F.conv2d(
            padded(x, x.shape[2], self.inputs).permute(0, 3, 1, 2),
            weight,
            bias,
            (1, self._stride),
            self._padding,
            (self._dilation, 1),
        )
        return made.permute(0, 2, 3, 1)


class Gate(nn.Module):
    """Convolution and gated linear unit: one half of its channels gates the other."""

    def __init__(self, weight: Tensor, bias: Tensor, padding: tuple[int, int] = (0, 0)) -> None:
        super().__init__()
        self.conv = Convolution(weight, bias, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        """Shape: `(batch, frames, rows, in)` to `(batch, frames, rows, out)`."""
        if x.device.type != "cpu":
            return F.glu(self.conv(x), -1)
        # On a CPU, two contiguous products are faster than one with interleaved halves.
        value, gate = self.conv.halves(x)
        return value.mul_(gate.sigmoid_())

    def add_to(self, total: Tensor, x: Tensor) -> Tensor:
        """Add the result for `x` to `total`, shape `(batch, frames, rows, out)`, in place."""
        if x.device.type != "cpu":
            return total.add_(self(x))
        value, gate = self.conv.halves(x)
        return total.addcmul_(value, gate.sigmoid_())


class Linear(nn.Module):
    """Matrix product, with bias if there is one; the matrix has shape `(out, in)`."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.contiguous(), False)
        self.bias = None if bias is None else nn.Parameter(bias.contiguous(), False)

    def forward(self, x: Tensor) -> Tensor:
        """Shape: `(..., in)` to `(..., out)`."""
        return F.linear(x, self.weight, self.bias)


def padded(x: Tensor, rows: int, channels: int) -> Tensor:
    """Append zeros; `(batch, frames, ..., ...)` to `(batch, frames, rows, channels)`."""
    missing = channels - x.shape[3], rows - x.shape[2]
    return F.pad(x, (0, missing[0], 0, missing[1])) if any(missing) else x
