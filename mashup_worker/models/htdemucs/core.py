"""Network between the transforms: from normalized spectrogram and waveform to estimates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from torch import nn

from mashup_worker.models.layers import Convolution
from mashup_worker.models.network import NetworkCore

if TYPE_CHECKING:
    from torch import Tensor

    from mashup_worker.models.htdemucs.layers import Decoder, Encoder
    from mashup_worker.models.htdemucs.transformer import CrossTransformer
    from mashup_worker.models.layers import Linear


class Bottleneck(nn.Module):
    """Transformer, with the projections to its width and back.

    The projections are pairs for frequency and time branch; None where the transformer is as wide
    as the encoders.
    """

    def __init__(
        self,
        transformer: CrossTransformer,
        widen: tuple[Linear, Linear] | None,
        narrow: tuple[Linear, Linear] | None,
    ) -> None:
        super().__init__()
        self.transformer = transformer
        self.widen = nn.ModuleList(widen or (nn.Identity(), nn.Identity()))
        self.narrow = nn.ModuleList(narrow or (nn.Identity(), nn.Identity()))

    def forward(self, x: Tensor, xt: Tensor) -> tuple[Tensor, Tensor]:
        """Shape: `(batch, frames, rows, channels)` of both branches to the same."""
        dtype = x.dtype
        # Order of the transformer's tokens: frame by frame, with all rows of a frame adjacent.
        tokens, tokens_t = self.transformer(
            self.widen[0](x).flatten(1, 2), self.widen[1](xt).flatten(1, 2)
        )
        made = self.narrow[0](tokens.to(dtype)).view(x.shape)
        made_t = self.narrow[1](tokens_t.to(dtype)).view(xt.shape)
        return made, made_t


class HybridCore(NetworkCore):
    """Encoders, transformer and decoders of both branches.

    Args:
        encoders, encoders_t: encoders of the frequency and of the time branch, as many.
        embedding: frequency embedding, added after the first encoder, shape `(rows, channels)`.
        bottleneck: the transformer; None for networks without.
        decoders, decoders_t: decoders, innermost first.
    """

    def __init__(
        self,
        encoders: list[Encoder],
        encoders_t: list[Encoder],
        embedding: Tensor,
        bottleneck: Bottleneck | None,
        decoders: list[Decoder],
        decoders_t: list[Decoder],
    ) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(encoders)
        self.encoders_t = nn.ModuleList(encoders_t)
        self.embedding = nn.Parameter(embedding.contiguous(), False)
        self.bottleneck = bottleneck
        self.decoders = nn.ModuleList(decoders)
        self.decoders_t = nn.ModuleList(decoders_t)

    def forward(self, x: Tensor, xt: Tensor) -> tuple[Tensor, Tensor]:
        """Return the estimates of both branches, in the `dtype` of the input.

        Shape: spectrogram `(batch, frames, frequencies, 2 * channels)` and waveform
        `(batch, 1, samples, channels)` to the same with `stems` times the channels.
        """
        skips: list[tuple[Tensor, Tensor]] = []
        rows: list[tuple[int, int]] = []
        for level, (encode, encode_t) in enumerate(
            zip(self.encoders, self.encoders_t, strict=True)
        ):
            rows.append((x.shape[2], xt.shape[2]))
            x, xt = encode(x), encode_t(xt)
            if level == 0:
                x = x + self.embedding
            skips.append((x, xt))
        if self.bottleneck is not None:
            x, xt = self.bottleneck(x, xt)
        for decode, decode_t in zip(self.decoders, self.decoders_t, strict=True):
            (skip, skip_t), (length, length_t) = skips.pop(), rows.pop()
            x, xt = decode(x, skip, length), decode_t(xt, skip_t, length_t)
        return x, xt

    def align_channels(self) -> Self:
        """Pad all convolutions to channel counts that matrix units multiply, in place."""
        for module in self.modules():
            if isinstance(module, Convolution):
                module.align_channels()
        return self
