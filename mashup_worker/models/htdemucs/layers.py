"""Convolutional layers of the encoders and decoders.

Tensors are `(batch, frames, rows, channels)`, contiguous. Layers stride along the rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F

from mashup_worker.models.layers import MATRIX_UNIT, Convolution, Gate, padded

if TYPE_CHECKING:
    from torch import Tensor

STRIDE = 4
"""Stride of the layers along the rows; kernels are twice as long."""

_NORM_EPSILON = 1e-5


class ResidualBranch(nn.Module):
    """A narrow convolution along the frames whose gated result is added to its input.

    Both of its group norms span all frames and channels of a row. The second is of
    `y = W h + b`, eight to sixteen times as wide as `h`, and needs no pass over `y`: the mean and
    variance of `y` follow from those of `h`,

        mean(y) = mean over c of v,                             v = W mean(h) + b
        var(y) = mean of |R (h - mean(h))|² + var over c of v,  Q R = W / sqrt(2 * channels)

    and the norm is then part of the product itself, as two more inputs. So is the layer scale.

    Args:
        squeeze: convolution to few channels.
        squeeze_norm: scale and offset of the norm after it, shape `(2, hidden)`.
        expand: `W`, shape `(2 * channels, hidden)`.
        expand_bias: `b`, shape `(2 * channels,)`.
        expand_norm: scale and offset of the norm after it, shape `(2, 2 * channels)`.
        scale: factor of each channel's result, shape `(channels,)`.
    """

    def __init__(
        self,
        squeeze: Convolution,
        squeeze_norm: Tensor,
        expand: Tensor,
        expand_bias: Tensor,
        expand_norm: Tensor,
        scale: Tensor,
    ) -> None:
        super().__init__()
        self.squeeze = squeeze
        # Buffers, not parameters: statistics stay in float32 when the products are cast.
        self.register_buffer("squeeze_norm", squeeze_norm.contiguous())
        self.register_buffer("expand", expand.contiguous())
        self.register_buffer("expand_bias", expand_bias.contiguous())
        self.register_buffer("factor", torch.linalg.qr(expand / len(expand) ** 0.5).R.contiguous())
        gain, offset = expand_norm
        inputs = torch.cat([expand, expand_bias[:, None], -torch.ones(len(expand), 1)], 1)
        self._spare = -inputs.shape[1] % MATRIX_UNIT
        scales = torch.cat([scale, torch.ones(len(scale))])
        weight = F.pad((scales * gain)[:, None] * inputs, (0, self._spare))
        self.normalized = Gate(weight[:, :, None, None], scales * offset)

    squeeze_norm: Tensor
    expand: Tensor
    expand_bias: Tensor
    factor: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Add to `x`, shape `(batch, frames, rows, channels)`, in place, and return it."""
        hidden = _normalize(self.squeeze(x).float(), self.squeeze_norm)
        inputs = self._normalized_inputs(F.gelu(hidden)).to(x.dtype)
        return self.normalized.add_to(x, inputs)

    def _normalized_inputs(self, hidden: Tensor) -> Tensor:
        """Return the inputs of the normalizing product, `(..., hidden)` to `(..., in)`."""
        frames = hidden.shape[1]
        mean = hidden.sum(1, keepdim=True) / frames
        within = F.linear(hidden - mean, self.factor).square().sum((1, 3)) / frames
        means = F.linear(mean[:, 0], self.expand, self.expand_bias)
        variance = within + means.var(-1, correction=0)
        rate = (variance + _NORM_EPSILON).rsqrt()[:, None, :, None]
        shift = rate * means.mean(-1)[:, None, :, None]
        constants = F.pad(torch.cat([rate, shift], -1), (0, self._spare))
        constants = constants.expand(-1, frames, -1, -1)
        return torch.cat([rate * hidden, constants], -1)


class Encoder(nn.Module):
    """One level of an encoder: a quarter of the rows, more channels."""

    def __init__(self, conv: Convolution, branches: Branches, rewrite: Gate) -> None:
        super().__init__()
        self.conv = conv
        self.branches = branches
        self.rewrite = rewrite

    def forward(self, x: Tensor) -> Tensor:
        """Shape: `(batch, frames, rows, in)` to `(batch, frames, ceil(rows / 4), out)`."""
        x = padded(x, x.shape[2] + -x.shape[2] % STRIDE, self.conv.inputs)
        gated: Tensor = self.rewrite(self.branches(F.gelu(self.conv(x))))
        return gated


class Decoder(nn.Module):
    """One level of a decoder: four times the rows, fewer channels."""

    def __init__(self, rewrite: Gate, branches: Branches, conv: Transposed, *, last: bool) -> None:
        super().__init__()
        self.rewrite = rewrite
        self.branches = branches
        self.conv = conv
        self._last = last

    def forward(self, x: Tensor, skip: Tensor, rows: int) -> Tensor:
        """Shape: `(batch, frames, rows / 4, in)`, twice, to `(batch, frames, rows, out)`."""
        made: Tensor = self.conv(self.branches(self.rewrite(x + skip)), rows)
        return made if self._last else F.gelu(made)


class Transposed(nn.Module):
    """Transposed convolution along the rows, computed as a plain one with four times the outputs.

    Rows `4 k` to `4 k + 3` depend on the rows `k` and `k - 1` of the input, so a kernel of two rows
    with four times the channels computes the same. `weight` has shape `(in, out, 8)`; the first
    `crop` rows are dropped.
    """

    def __init__(self, weight: Tensor, bias: Tensor, crop: int) -> None:
        super().__init__()
        now, before = weight.permute(2, 1, 0).split(STRIDE)
        pair = torch.stack([before, now], -1).flatten(0, 1)[:, :, None]
        self.conv = Convolution(pair, bias.repeat(STRIDE), padding=(0, 1))
        self._crop = crop

    def forward(self, x: Tensor, rows: int) -> Tensor:
        """Shape: `(batch, frames, n, in)` to `(batch, frames, rows, out)`."""
        made: Tensor = self.conv(x).unflatten(-1, (STRIDE, -1)).flatten(2, 3)
        return made[:, :, self._crop : self._crop + rows]


class Branches(nn.Module):
    """Sequence of residual branches along the frames, or along the rows of one frame."""

    def __init__(self, branches: list[ResidualBranch], *, along_rows: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(branches)
        self._along_rows = along_rows

    def forward(self, x: Tensor) -> Tensor:
        """Add to `x`, shape `(batch, frames, rows, channels)`, in place, and return it."""
        turned = x.transpose(1, 2) if self._along_rows else x
        for layer in self.layers:
            layer(turned)
        return x


def _normalize(x: Tensor, norm: Tensor) -> Tensor:
    """Normalize each row over frames and channels, `(batch, frames, rows, channels)`."""
    mean = x.mean((1, 3), keepdim=True)
    centered = x - mean
    variance = centered.square().mean((1, 3), keepdim=True)
    gain, offset = norm
    return torch.addcmul(offset, centered * (variance + _NORM_EPSILON).rsqrt(), gain)
