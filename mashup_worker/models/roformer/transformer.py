"""Transformers along the frames and along the bands.

Both change the residual stream `(batch, frames, bands, channels)` in place. A CPU does all of a
transformer's work on a few sequences before it goes on to the next, so that what passes between the
operations stays in its caches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

_CACHED_TOKENS = 512
"""Tokens that a CPU works on at once, at least one sequence."""

_NORM_EPSILON = 1e-12


def unit_rms(x: Tensor) -> Tensor:
    """Scale the last axis to a root mean square of 1; zeros stay zeros."""
    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x * norm.clamp_min_(_NORM_EPSILON).reciprocal_().mul_(x.shape[-1] ** 0.5)


class Linear(nn.Module):
    """Linear layer, `weight` of shape `(out, in)`; `bias` may be None."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.contiguous(), False)
        self.bias = None if bias is None else nn.Parameter(bias.contiguous(), False)

    def forward(self, x: Tensor) -> Tensor:
        """Shape: `(..., in)` to `(..., out)`."""
        return F.linear(x, self.weight, self.bias)

    def add_to(self, total: Tensor, x: Tensor) -> None:
        """Add the result for `x`, shape `(..., in)`, to `total`, float32 `(..., out)`."""
        if x.dtype != torch.float32:
            total += self(x)
            return
        if self.bias is not None:
            total += self.bias
        total.view(-1, total.shape[-1]).addmm_(x.flatten(0, -2), self.weight.t())


class Rotary(nn.Module):
    """Rotary position embedding of `length` tokens, with one frequency for each pair of channels.

    Even channels are real parts and odd channels are imaginary parts of numbers, each of which is
    turned by its position times its frequency.
    """

    def __init__(self, frequencies: Tensor, length: int) -> None:
        super().__init__()
        angles = torch.arange(length, dtype=frequencies.dtype)[:, None] * frequencies
        turns = torch.stack([angles.cos(), angles.sin()])
        self.register_buffer("turns", turns[:, :, None, None])

    turns: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Turn the tokens; shape: `(n, length, rows, heads, channels)` to the same.

        The argument may be overwritten.
        """
        pairs = x.unflatten(-1, (-1, 2))
        cos, sin = self.turns
        if x.dtype == torch.float32 and not torch.compiler.is_compiling():
            numbers = torch.view_as_complex(pairs).mul_(torch.complex(cos, sin))
            return torch.view_as_real(numbers).flatten(-2)
        real, imaginary = pairs.unbind(-1)
        cos, sin = cos.to(x.dtype), sin.to(x.dtype)
        turned = (
            torch.addcmul(real * cos, imaginary, sin, value=-1),
            torch.addcmul(imaginary * cos, real, sin),
        )
        return torch.stack(turned, -1).flatten(-2)


class Attention(nn.Module):
    """Gated multi-head self-attention, with the norm of its input in the weights.

    Args:
        queries, keys, values: projections to all heads.
        gates: projection to one gate for each head; None for heads without.
        output: projection from all heads.
    """

    def __init__(
        self,
        projections: tuple[Linear, Linear, Linear],
        gates: Linear | None,
        output: Linear,
        heads: int,
    ) -> None:
        super().__init__()
        self.queries, self.keys, self.values = projections
        self.gates = gates
        self.output = output
        self._heads = heads

    def add_to(self, x: Tensor, rotary: Rotary) -> None:
        """Add the result to `x`, shape `(n, length, rows, channels)`.

        Every row of each of the `n` items is a sequence of its own.
        """
        tokens = unit_rms(x).to(self.output.weight.dtype)
        shape = (*x.shape[:3], self._heads, -1)
        queries = rotary(self.queries(tokens).view(shape))
        keys = rotary(self.keys(tokens).view(shape))
        values = self.values(tokens).view(shape)
        # Rows and heads are one axis, so that no memory moves.
        attended = F.scaled_dot_product_attention(
            *(one.flatten(2, 3).transpose(1, 2) for one in (queries, keys, values))
        ).transpose(1, 2)
        if self.gates is not None:
            gates = self.gates(tokens).sigmoid_()
            attended = attended.mul_(gates.view(*attended.shape[:3], 1))
        self.output.add_to(x, attended.reshape(*x.shape[:3], -1))


class FeedForward(nn.Module):
    """Feed-forward network, with the norm of its input in the weights."""

    def __init__(self, widen: Linear, narrow: Linear) -> None:
        super().__init__()
        self.widen = widen
        self.narrow = narrow

    def add_to(self, x: Tensor) -> None:
        """Add the result to `x`, shape `(..., channels)`."""
        wide = self.widen(unit_rms(x).to(self.widen.weight.dtype))
        self.narrow.add_to(x, torch.ops.aten.gelu_(wide))


class Transformer(nn.Module):
    """Layers of attention and feed-forward networks along one axis of the residual stream.

    Args:
        layers: pairs of attention and feed-forward network.
        norm: gain of the norm of the output; None for no norm.
        rotary: position embedding of the axis.
        along_frames: attend along the frames; along the bands otherwise.
    """

    def __init__(
        self,
        layers: list[tuple[Attention, FeedForward]],
        norm: Tensor | None,
        rotary: Rotary,
        *,
        along_frames: bool,
    ) -> None:
        super().__init__()
        self.attentions = nn.ModuleList(attention for attention, _ in layers)
        self.feeds = nn.ModuleList(feed for _, feed in layers)
        self.register_buffer("norm", norm)
        self.rotary = rotary
        self._along_frames = along_frames

    norm: Tensor | None

    def apply_to(self, x: Tensor) -> None:
        """Transform the residual stream, `(batch, frames, bands, channels)`, in place."""
        for piece in self._pieces(x):
            for attention, feed in zip(self.attentions, self.feeds, strict=True):
                attention.add_to(piece, self.rotary)
                feed.add_to(piece)
            if self.norm is not None:
                piece.copy_(unit_rms(piece) * self.norm)

    def _pieces(self, x: Tensor) -> Iterator[Tensor]:
        """Yield views of the stream, `(n, length, rows, channels)`."""
        sequences = x if self._along_frames else x.flatten(0, 1)[:, :, None]
        if x.device.type != "cpu" or torch.compiler.is_compiling():
            yield sequences
        elif self._along_frames:
            for item in sequences.split(1):
                yield from item.split(1, 2)
        else:
            yield from sequences.split(max(1, _CACHED_TOKENS // x.shape[2]))
