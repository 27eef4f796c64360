"""Cross-domain transformer between encoders and decoders.

Tokens are `(batch, tokens, channels)`. The residual stream, the norms and their statistics are
float32; products have the type of their weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from torch import Tensor

    from mashup_worker.models.layers import Linear


class _Norm(nn.Module):
    def __init__(self, weight: Tensor, bias: Tensor, epsilon: float) -> None:
        super().__init__()
        self.register_buffer("weight", weight.contiguous())
        self.register_buffer("bias", bias.contiguous())
        self._epsilon = epsilon

    weight: Tensor
    bias: Tensor


class LayerNorm(_Norm):
    """Norm over the channels of each token, in float32."""

    def forward(self, x: Tensor) -> Tensor:
        """Shape: `(batch, tokens, channels)` to the same."""
        return F.layer_norm(x.float(), self.weight.shape, self.weight, self.bias, self._epsilon)


class SongNorm(_Norm):
    """Norm over all tokens and channels of each item of the batch, in float32."""

    def forward(self, x: Tensor) -> Tensor:
        """Shape: `(batch, tokens, channels)` to the same."""
        mean = x.mean((1, 2), keepdim=True)
        centered = x - mean
        rate = (centered.square().mean((1, 2), keepdim=True) + self._epsilon).rsqrt()
        return torch.addcmul(self.bias, centered, rate * self.weight)


class Attention(nn.Module):
    """Multi-head attention to tokens of the same or of the other branch.

    `keys_values` makes the keys, then the values.
    """

    def __init__(self, queries: Linear, keys_values: Linear, output: Linear, heads: int) -> None:
        super().__init__()
        self.queries = queries
        self.keys_values = keys_values
        self.output = output
        self._heads = heads

    def forward(self, tokens: Tensor, others: Tensor) -> Tensor:
        """Shape: `(batch, n, channels)` and `(batch, m, channels)` to the first."""
        queries = self._by_head(self.queries(tokens))
        keys, values = map(self._by_head, self.keys_values(others).chunk(2, -1))
        attended = F.scaled_dot_product_attention(queries, keys, values)
        made: Tensor = self.output(attended.transpose(1, 2).flatten(-2))
        return made

    def _by_head(self, x: Tensor) -> Tensor:
        heads: Tensor = x.unflatten(-1, (self._heads, -1)).transpose(1, 2)
        return heads


class Layer(nn.Module):
    """Attention and feed-forward network with residual connections.

    Args:
        norms: norms of the tokens, of the other branch's tokens for cross-attention, and of the
            input of the feed-forward network.
        attention: self-attention or cross-attention.
        feed: feed-forward network.
        norm_out: norm of the output, if any.
    """

    def __init__(
        self,
        norms: tuple[LayerNorm, ...],
        attention: Attention,
        feed: tuple[Linear, Linear],
        norm_out: SongNorm | None,
    ) -> None:
        super().__init__()
        *attention_norms, self.norm_feed = norms
        self.norm, *rest = attention_norms
        self.norm_others = rest[0] if rest else None
        self.attention = attention
        self.widen, self.narrow = feed
        self.norm_out = norm_out

    def forward(self, x: Tensor, others: Tensor) -> Tensor:
        """Shape: float32 `(batch, n, channels)` and `(batch, m, channels)` to the first."""
        dtype = self.widen.weight.dtype
        tokens = self.norm(x).to(dtype)
        attended = tokens if self.norm_others is None else self.norm_others(others).to(dtype)
        x = x + self.attention(tokens, attended)
        wide = F.gelu(self.widen(self.norm_feed(x).to(dtype)))
        x = x + self.narrow(wide)
        return x if self.norm_out is None else self.norm_out(x)


class CrossTransformer(nn.Module):
    """Pairs of layers, one for each branch; every other pair attends to the other branch.

    All arguments have a part for the frequency branch and a part for the time branch; `positions`
    are embeddings of shape `(1, tokens, channels)`.
    """

    def __init__(
        self,
        norms: tuple[nn.Module, nn.Module],
        layers: list[tuple[Layer, Layer]],
        positions: tuple[Tensor, Tensor],
    ) -> None:
        super().__init__()
        self.norms = nn.ModuleList(norms)
        self.layers = nn.ModuleList(layer for layer, _ in layers)
        self.layers_t = nn.ModuleList(layer for _, layer in layers)
        self.register_buffer("positions", positions[0].contiguous())
        self.register_buffer("positions_t", positions[1].contiguous())

    positions: Tensor
    positions_t: Tensor

    def forward(self, x: Tensor, xt: Tensor) -> tuple[Tensor, Tensor]:
        """Transform the tokens of both branches, `(batch, tokens, channels)`, to float32."""
        x = self.norms[0](x) + self.positions
        xt = self.norms[1](xt) + self.positions_t
        for layer, layer_t in zip(self.layers, self.layers_t, strict=True):
            x, xt = layer(x, xt), layer_t(xt, x)
        return x, xt
