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

    from mashup_worker.models.layers import Linear

_CPU_TOKENS = 4000
"""Tokens that a CPU works on at once, at least one sequence; measured."""

_NORM_EPSILON = 1e-12


def unit_rms(x: Tensor) -> Tensor:
    """Scale the last axis to a root mean square of 1; zeros stay zeros."""
    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    scaled: Tensor = x * norm.clamp_min_(_NORM_EPSILON).reciprocal_().mul_(x.shape[-1] ** 0.5)
    return scaled


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
    """Multi-head self-attention whose heads have gates.

    Args:
        projections: projections to the queries, keys and values of all heads.
        gates: projection to one gate for each head; None for heads without.
        output: projection from all heads.
    """

    def __init__(
        self, projections: list[Linear], gates: Linear | None, output: Linear, heads: int
    ) -> None:
        super().__init__()
        self.queries, self.keys, self.values = projections
        self.gates = gates
        self.output = output
        self._heads = heads

    def forward(self, tokens: Tensor, rotary: Rotary) -> Tensor:
        """Shape: `(n, length, rows, channels)` to the same; see `Layer`."""
        shape = (*tokens.shape[:3], self._heads, -1)
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
        made: Tensor = self.output(attended.reshape(*tokens.shape[:3], -1))
        return made


class Layer(nn.Module):
    """Attention and feed-forward network, with the norms of their inputs in the weights."""

    def __init__(self, attention: Attention, widen: Linear, narrow: Linear) -> None:
        super().__init__()
        self.attention = attention
        self.widen = widen
        self.narrow = narrow

    def forward(self, x: Tensor, rotary: Rotary) -> None:
        """Add both results to `x`, float32 `(n, length, rows, channels)`.

        Every row of each of the `n` items is a sequence of its own.
        """
        dtype = self.widen.weight.dtype
        x += self.attention(unit_rms(x).to(dtype), rotary)
        x += self.narrow(torch.ops.aten.gelu_(self.widen(unit_rms(x).to(dtype))))


class Transformer(nn.Module):
    """Layers along one axis of the residual stream.

    Args:
        norm: gain of the norm of the output; None for no norm.
        rotary: position embedding of the axis.
        along_frames: attend along the frames; along the bands otherwise.
    """

    def __init__(
        self, layers: list[Layer], norm: Tensor | None, rotary: Rotary, *, along_frames: bool
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.register_buffer("norm", norm)
        self.rotary = rotary
        self._along_frames = along_frames

    norm: Tensor | None

    def forward(self, x: Tensor) -> None:
        """Transform the residual stream, `(batch, frames, bands, channels)`, in place."""
        for piece in self._pieces(x):
            for layer in self.layers:
                layer(piece, self.rotary)
            if self.norm is not None:
                piece.copy_(unit_rms(piece).mul_(self.norm))

    def _pieces(self, x: Tensor) -> Iterator[Tensor]:
        """Yield views of the stream, `(n, length, rows, channels)`."""
        sequences = x if self._along_frames else x.flatten(0, 1)[:, :, None]
        if x.device.type != "cpu" or torch.compiler.is_compiling():
            yield sequences
            return
        count = max(1, _CPU_TOKENS // sequences.shape[1])
        if self._along_frames:
            for item in sequences.split(1):
                yield from item.split(count, 2)
        else:
            yield from sequences.split(count)
