"""Conversion of a network of the `demucs` package to this memory layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from demucs.hdemucs import HDecLayer, HEncLayer
from demucs.htdemucs import HTDemucs
from demucs.transformer import (
    CrossTransformerEncoderLayer,
    MyGroupNorm,
    MyTransformerEncoderLayer,
    create_2d_sin_embedding,
    create_sin_embedding,
)
from torch import nn
from torch.nn import functional as F

from mashup_worker.models.htdemucs.core import Bottleneck, HybridCore
from mashup_worker.models.htdemucs.layers import (
    STRIDE,
    Branches,
    Decoder,
    Encoder,
    ResidualBranch,
    Transposed,
)
from mashup_worker.models.htdemucs.network import HybridNetwork
from mashup_worker.models.htdemucs.spectrum import Spectrum
from mashup_worker.models.htdemucs.transformer import (
    Attention,
    CrossTransformer,
    Layer,
    LayerNorm,
    SongNorm,
)
from mashup_worker.models.layers import Convolution, Gate, Linear
from mashup_worker.models.unconverted import UnconvertedNetwork, demucs_profile

if TYPE_CHECKING:
    from torch import Tensor

    from mashup_worker.models.network import SeparationNetwork


class NotConvertible(Exception):
    """The network has a part that cannot be converted; it must run unconverted."""


def convert(network: nn.Module) -> HybridNetwork:
    """Return the network with copies of its weights, on the CPU in float32.

    Every published htdemucs converts. Other classes do not, nor do options that no published
    network uses: sparse attention, Wiener filters, norms in the encoders, LSTMs.

    Raises:
        NotConvertible: the network cannot be converted.
    """
    _require(type(network) is HTDemucs, type(network).__name__)
    with torch.no_grad():
        return _Conversion(network).network().eval()


def converted(network: nn.Module) -> SeparationNetwork:
    """Return the network in this memory layout, or as it is where that is not possible."""
    try:
        return convert(network)
    except NotConvertible:
        return UnconvertedNetwork(network)


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise NotConvertible(what)


def _copy(tensor: Any) -> Tensor:
    """Return a copy on the CPU in float32."""
    _require(tensor is not None, "a layer without bias")
    copy: Tensor = tensor.detach().to("cpu", torch.float32, copy=True)
    return copy


class _Conversion:
    """Conversion of one network, layer by layer."""

    def __init__(self, network: Any) -> None:
        _require(network.cac and network.use_train_segment, "Wiener filters, or any segment")
        _require(network.depth == len(network.tencoder), "branches of different depth")
        self._network = network
        self._window_samples = int(network.segment * network.samplerate)

    def network(self) -> HybridNetwork:
        network = self._network
        core = HybridCore(
            [_encoder(layer) for layer in network.encoder],
            [_encoder(layer) for layer in network.tencoder],
            self.embedding(),
            self.bottleneck(),
            [_decoder(layer) for layer in network.decoder],
            [_decoder(layer) for layer in network.tdecoder],
        )
        spectrum = Spectrum(network.nfft, self._window_samples)
        return HybridNetwork(demucs_profile(network), core, spectrum)

    def embedding(self) -> Tensor:
        """Return the embedding of each frequency after the first encoder, `(rows, channels)`."""
        network = self._network
        if network.freq_emb is None:
            return torch.zeros(network.nfft // 2 // STRIDE, network.encoder[0].conv.out_channels)
        table = _copy(network.freq_emb.embedding.weight) * network.freq_emb.scale
        weighted: Tensor = network.freq_emb_scale * table
        return weighted

    def bottleneck(self) -> Bottleneck | None:
        network, transformer = self._network, self._network.crosstransformer
        if transformer is None:
            return None
        _require(transformer.emb == "sin" and not transformer.sin_random_shift, "other positions")
        widen = narrow = None
        if network.bottom_channels:
            widen = _pointwise(network.channel_upsampler), _pointwise(network.channel_upsampler_t)
            narrow = (
                _pointwise(network.channel_downsampler),
                _pointwise(network.channel_downsampler_t),
            )
        pairs = zip(transformer.layers, transformer.layers_t, strict=True)
        return Bottleneck(
            CrossTransformer(
                (_token_norm(transformer.norm_in), _token_norm(transformer.norm_in_t)),
                [(_layer(frequency), _layer(time)) for frequency, time in pairs],
                self._positions(transformer),
            ),
            widen,
            narrow,
        )

    def _positions(self, transformer: Any) -> tuple[Tensor, Tensor]:
        """Return the position embeddings of both branches, `(1, tokens, channels)`."""
        network = self._network
        rows = network.nfft // 2 // STRIDE**network.depth
        frames = -(-self._window_samples // network.hop_length)
        samples = self._window_samples
        for _ in range(network.depth):
            samples = -(-samples // STRIDE)
        channels = transformer.layers[0].linear1.in_features
        place: Tensor = create_2d_sin_embedding(  # type: ignore[no-untyped-call]
            channels, rows, frames, "cpu", transformer.max_period
        )
        time = create_sin_embedding(samples, channels, max_period=transformer.max_period)
        weight = transformer.weight_pos_embed
        return (
            weight * place.permute(0, 3, 2, 1).reshape(1, frames * rows, channels),
            weight * time.transpose(0, 1),
        )


def _encoder(layer: Any) -> Encoder:
    _require(isinstance(layer, HEncLayer), "bands of frequencies")
    _require_plain(layer)
    _require(layer.conv.padding in ((STRIDE // 2, 0), (STRIDE // 2,)), "another padding")
    return Encoder(
        Convolution(
            _kernel(layer.conv), _copy(layer.conv.bias), stride=STRIDE, padding=(0, STRIDE // 2)
        ),
        _branches(layer),
        _gate(layer.rewrite),
    )


def _decoder(layer: Any) -> Decoder:
    _require(isinstance(layer, HDecLayer), "bands of frequencies")
    _require_plain(layer)
    weight = _copy(layer.conv_tr.weight).flatten(2)
    return Decoder(
        _gate(layer.rewrite),
        _branches(layer),
        Transposed(weight, _copy(layer.conv_tr.bias), int(layer.pad)),
        last=layer.last,
    )


def _require_plain(layer: Any) -> None:
    _require(not layer.empty and not layer.norm, "empty layers, or norms in them")
    _require(bool(layer.rewrite), "layers without a gate")
    _require(layer.kernel_size == 2 * STRIDE and layer.stride == STRIDE, "other strides")
    _require(layer.pad == STRIDE // 2, "layers without padding")


def _kernel(conv: Any) -> Tensor:
    """Return weights as `(out, in, frames, rows)`; Demucs has rows before frames, or no frames."""
    weight = _copy(conv.weight)
    return weight[:, :, None] if weight.ndim == 3 else weight.transpose(2, 3)


def _gate(conv: Any) -> Gate:
    kernel = _kernel(conv)
    frames, rows = kernel.shape[2:]
    return Gate(kernel, _copy(conv.bias), (frames // 2, rows // 2))


def _branches(layer: Any) -> Branches:
    branches = [_branch(one) for one in layer.dconv.layers] if layer.dconv else []
    return Branches(branches, along_rows=not layer.freq)


def _branch(layer: Any) -> ResidualBranch:
    kinds = [type(module).__name__ for module in layer]
    _require(
        kinds == ["Conv1d", "GroupNorm", "GELU", "Conv1d", "GroupNorm", "GLU", "LayerScale"],
        "attention or LSTMs in the branches",
    )
    squeeze, squeeze_norm, _, expand, expand_norm, _, scale = layer
    _require(squeeze_norm.num_groups == expand_norm.num_groups == 1, "norms by groups")
    kernel = _copy(squeeze.weight)[..., None]
    return ResidualBranch(
        Convolution(
            kernel,
            _copy(squeeze.bias),
            padding=(squeeze.padding[0], 0),
            dilation=squeeze.dilation[0],
        ),
        _affine(squeeze_norm),
        _copy(expand.weight)[..., 0],
        _copy(expand.bias),
        _affine(expand_norm),
        _copy(scale.scale),
    )


def _affine(norm: Any) -> Tensor:
    return torch.stack([_copy(norm.weight), _copy(norm.bias)])


def _pointwise(conv: Any) -> Linear:
    return Linear(_copy(conv.weight)[..., 0], _copy(conv.bias))


def _linear(linear: Any, scale: Tensor) -> Linear:
    return Linear(scale[:, None] * _copy(linear.weight), scale * _copy(linear.bias))


def _token_norm(norm: Any) -> Any:
    if isinstance(norm, nn.Identity):
        return norm
    if isinstance(norm, nn.LayerNorm):
        return LayerNorm(_copy(norm.weight), _copy(norm.bias), norm.eps)
    return _song_norm(norm)


def _song_norm(norm: Any) -> SongNorm:
    _require(isinstance(norm, MyGroupNorm) and norm.num_groups == 1, "norms by groups")
    return SongNorm(_copy(norm.weight), _copy(norm.bias), norm.eps)


def _layer(layer: Any) -> Layer:
    _require(
        isinstance(layer, MyTransformerEncoderLayer | CrossTransformerEncoderLayer)
        and not layer.sparse
        and layer.norm_first
        and layer.activation is F.gelu,
        "another kind of transformer",
    )
    crossed = isinstance(layer, CrossTransformerEncoderLayer)
    attention: Any = layer.cross_attn if crossed else layer.self_attn
    names = ("norm1", "norm2", "norm3") if crossed else ("norm1", "norm2")
    norms = tuple(_token_norm(getattr(layer, name)) for name in names)
    channels = attention.embed_dim
    weight, bias = _copy(attention.in_proj_weight), _copy(attention.in_proj_bias)
    return Layer(
        norms,
        Attention(
            Linear(weight[:channels], bias[:channels]),
            Linear(weight[channels:], bias[channels:]),
            _linear(attention.out_proj, _layer_scale(layer.gamma_1, channels)),
            attention.num_heads,
        ),
        (
            _linear(layer.linear1, torch.ones(layer.linear1.out_features)),
            _linear(layer.linear2, _layer_scale(layer.gamma_2, channels)),
        ),
        None if layer.norm_out is None else _song_norm(layer.norm_out),
    )


def _layer_scale(scale: Any, channels: int) -> Tensor:
    return torch.ones(channels) if isinstance(scale, nn.Identity) else _copy(scale.scale)
