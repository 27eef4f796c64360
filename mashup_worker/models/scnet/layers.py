"""Layers of the encoders and decoders.

Tensors are `(batch, frames, rows, channels)`, contiguous, float32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F

from mashup_worker.models.layers import Convolution, Gate, Linear

if TYPE_CHECKING:
    from torch import Tensor

NORM_EPSILON = 1e-5

_CACHED_BYTES = 1 << 20
"""Activations that a CPU works on at once, so that they stay in its caches."""


class Down(nn.Module):
    """Convolution along the rows of one band, to fewer rows.

    Kernels are as long as their stride, or the stride is 1.

    Args:
        weight: shape `(out, in, kernel)`.
        rows: rows of the band.
    """

    def __init__(self, weight: Tensor, bias: Tensor, stride: int, rows: int) -> None:
        super().__init__()
        kernel, self._stride = weight.shape[-1], stride
        missing = kernel - 1 if stride == 1 else -rows % stride
        self._padding = missing // 2, missing - missing // 2
        self.rows = (rows + missing - kernel) // stride + 1
        self.product: Linear | Convolution
        if stride == kernel:
            self.product = Linear(weight.transpose(1, 2).flatten(1), bias)
        else:
            self.product = Convolution(weight[:, :, None], bias)

    def forward(self, x: Tensor) -> Tensor:
        """Shape: `(batch, frames, band rows, in)` to `(batch, frames, rows, out)`."""
        x = F.pad(x, (0, 0, *self._padding))
        if isinstance(self.product, Linear):
            x = x.unflatten(2, (-1, self._stride)).flatten(-2)
        made: Tensor = self.product(x)
        return made


class Up(nn.Module):
    """Transposed convolution along the rows of one band.

    Kernels are as long as their stride, or the stride is 1.

    Args:
        weight: shape `(in, out, kernel)`.
        rows: rows that the band shall have.
        input_rows: rows of its input.
    """

    def __init__(
        self, weight: Tensor, bias: Tensor, stride: int, rows: int, input_rows: int
    ) -> None:
        super().__init__()
        kernel, self._stride = weight.shape[-1], stride
        made = (input_rows - 1) * stride + kernel
        self._crop = slice((made - rows) // 2, (made - rows) // 2 + rows)
        self.product: Linear | Convolution
        if stride == kernel:
            self.product = Linear(weight.permute(2, 1, 0).flatten(0, 1), bias.repeat(stride))
        else:
            flipped = weight.transpose(0, 1).flip(-1)[:, :, None]
            self.product = Convolution(flipped, bias, padding=(0, kernel - 1))

    def forward(self, x: Tensor) -> Tensor:
        """Shape: `(batch, frames, input rows, in)` to `(batch, frames, rows, out)`."""
        made: Tensor = self.product(x)
        if isinstance(self.product, Linear):
            made = made.unflatten(-1, (self._stride, -1)).flatten(2, 3)
        return made[:, :, self._crop]


class RowBranch(nn.Module):
    """Narrow gated convolution along the frames whose result is added to its input.

    Both of its norms span all frames and channels of a row.

    The input already holds the bias of the result, and those of all branches that follow, so that
    the last product can be added in place. The norms take them off.

    Args:
        norm: scale and offset of the norm of the input, shape `(2, channels)`.
        squeeze: convolution to few channels.
        depthwise: kernels of the convolution of each channel, shape `(hidden, kernel)`.
        depthwise_bias: shape `(hidden,)`.
        hidden_norm: scale and offset, shape `(2, hidden)`.
        expand: shape `(channels, hidden)`.
        ahead: biases that the input holds, shape `(channels,)`.
    """

    def __init__(
        self,
        norm: Tensor,
        squeeze: Gate,
        depthwise: Tensor,
        depthwise_bias: Tensor,
        hidden_norm: Tensor,
        expand: Tensor,
        ahead: Tensor,
    ) -> None:
        super().__init__()
        self.squeeze = squeeze
        self.depthwise = nn.Parameter(depthwise[:, None, :, None].contiguous(), False)
        self.depthwise_bias = nn.Parameter(depthwise_bias.contiguous(), False)
        self.expand = nn.Parameter(expand.t().contiguous(), False)
        self.register_buffer("norm", norm.contiguous())
        self.register_buffer("hidden_norm", hidden_norm.contiguous())
        self.register_buffer("ahead", ahead.contiguous())

    norm: Tensor
    hidden_norm: Tensor
    ahead: Tensor

    def forward(self, x: Tensor) -> None:
        """Add to `x`, shape `(batch, frames, rows, channels)`, contiguous, in place."""
        hidden = self.squeeze(_normalize_rows(x, self.norm, self.ahead))
        hidden = F.conv2d(
            hidden.permute(0, 3, 1, 2),
            self.depthwise,
            self.depthwise_bias,
            padding=(self.depthwise.shape[2] // 2, 0),
            groups=len(self.depthwise),
        ).permute(0, 2, 3, 1)
        hidden = F.silu(_normalize_rows(hidden, self.hidden_norm), inplace=True)
        x.view(-1, x.shape[-1]).addmm_(hidden.flatten(0, 2), self.expand)


class Branches(nn.Module):
    """Sequence of branches of one band, and the activation after them."""

    def __init__(self, branches: list[RowBranch]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(branches)

    def forward(self, x: Tensor, made: Tensor) -> None:
        """Change `x` and write the result to `made`, both `(batch, frames, rows, channels)`.

        Rows do not depend on others: a CPU works on a few at a time, which stay in its caches.
        """
        rows = x.shape[2]
        if x.device.type == "cpu" and not torch.compiler.is_compiling():
            rows = max(1, _CACHED_BYTES // (x[:, :, 0].numel() * x.element_size()))
        for piece, target in zip(x.split(rows, 2), made.split(rows, 2), strict=True):
            few = piece.contiguous()
            for layer in self.layers:
                layer(few)
            target.copy_(F.gelu(few))


class Encoder(nn.Module):
    """One level of the encoder: fewer rows, more channels.

    Args:
        bands: for each band, from the lowest, the convolution and the branches after it.
        splits: rows of each band.
        mix: convolution of all rows.
    """

    def __init__(
        self, bands: list[tuple[Down, Branches]], splits: list[int], mix: Convolution
    ) -> None:
        super().__init__()
        self.downs = nn.ModuleList(down for down, _ in bands)
        self.branches = nn.ModuleList(branches for _, branches in bands)
        self.mix = mix
        self._splits = splits
        self._fewer_rows = [down.rows for down, _ in bands]
        self._channels = len(mix.weight)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output, and the bands before they were mixed.

        Shape: `(batch, frames, rows, in)` to `(batch, frames, fewer rows, out)`, twice.
        """
        skip = x.new_empty(*x.shape[:2], sum(self._fewer_rows), self._channels)
        bands, made = x.split(self._splits, 2), skip.split(self._fewer_rows, 2)
        for band, target, down, branches in zip(
            bands, made, self.downs, self.branches, strict=True
        ):
            branches(down(band), target)
        return self.mix(skip), skip


class Decoder(nn.Module):
    """One level of the decoder: more rows, fewer channels.

    Args:
        fuse: gated convolution of the input and the skip connection. SCNet convolves two copies of
            their sum; here the kernels of both copies are added up instead.
        bands: transposed convolution of each band, from the lowest.
        splits: input rows of each band.
    """

    def __init__(self, fuse: Gate, bands: list[Up], splits: list[int]) -> None:
        super().__init__()
        self.fuse = fuse
        self.ups = nn.ModuleList(bands)
        self._splits = splits

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Shape: `(batch, frames, rows, in)`, twice, to `(batch, frames, more rows, out)`."""
        bands = self.fuse(x + skip).split(self._splits, 2)
        return torch.cat([up(band) for up, band in zip(self.ups, bands, strict=True)], 2)


def _normalize_rows(x: Tensor, norm: Tensor, ahead: Tensor | None = None) -> Tensor:
    """Normalize each row of `x - ahead` over frames and channels.

    Shape: `(batch, frames, rows, channels)` to the same.
    """
    mean = x.mean(1, keepdim=True)  # axis by axis, which is faster than both at once
    if ahead is not None:
        mean = mean - ahead
    mean = mean.mean(3, keepdim=True)
    centered = x - (mean if ahead is None else mean + ahead)
    variance = centered.square().mean(1, keepdim=True).mean(3, keepdim=True)
    gain, offset = norm
    scale = (variance + NORM_EPSILON).rsqrt() * gain
    return torch.addcmul(offset, centered, scale)
