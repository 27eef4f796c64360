"""Conversion of a checkpoint of Music-Source-Separation-Training to this memory layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from mashup_worker.errors import ModelUnavailable
from mashup_worker.models.layers import Linear
from mashup_worker.models.roformer.bands import (
    Bands,
    BandSplit,
    MaskEstimator,
    MaskMean,
    Perceptrons,
    Stack,
    adjacent_bands,
    mel_bands,
)
from mashup_worker.models.roformer.core import RoformerCore
from mashup_worker.models.roformer.network import RoformerNetwork
from mashup_worker.models.roformer.transformer import Attention, Layer, Rotary, Transformer
from mashup_worker.models.spectrum import Spectrum
from mashup_worker.models.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from mashup_worker.models.network import NetworkProfile

_ROTARY_BASE = 10_000.0

_SHARED_BIASES = ("linear_62_bias_0", "linear_64_bias_0")
"""Biases that all layers of attention share: of the projections, and of the output."""


def convert(
    state: Mapping[str, Tensor], parameters: Mapping[str, Any], profile: NetworkProfile
) -> RoformerNetwork:
    """Return the network with copies of the weights, on the CPU in float32.

    Mel-Band RoFormer has the parameter `num_bands`, BS-RoFormer has `freqs_per_bands`. Depths and
    widths are those of the weights, and stems always have the length of the windows.

    Args:
        state: weights by the names of Music-Source-Separation-Training.
        parameters: all arguments of its network, defaults included.
        profile: what the network declares; windows have the length of a segment.

    Raises:
        ModelUnavailable: a parameter or weight is of a kind that is not run, is missing, or does
            not fit the others. The message starts with its name.
    """
    if parameters.get("linear_transformer_depth", 0):
        raise ModelUnavailable("linear_transformer_depth: linear attention is not supported")
    with torch.no_grad():
        return _Conversion(state, parameters, profile).network().eval()


class _Conversion:
    """Conversion of one network, part by part."""

    def __init__(
        self, state: Mapping[str, Tensor], parameters: Mapping[str, Any], profile: NetworkProfile
    ) -> None:
        self._weights = Weights(state)
        self._parameters = parameters
        self._profile = profile
        self._dim = int(parameters["dim"])
        self._heads, self._head_width = int(parameters["heads"]), int(parameters["dim_head"])
        self._parts = 2 * profile.channels
        self._bands = bands_of(parameters)

    def network(self) -> RoformerNetwork:
        parameters, weights = self._parameters, self._weights
        # `stft_normalized` scales the spectrogram, which the norms of the bands undo.
        spectrum = Spectrum(
            parameters["stft_n_fft"],
            parameters["stft_hop_length"],
            self._profile.segment_samples,
            torch.hann_window(parameters["stft_win_length"]),
        )
        depth = weights.count("layers.{}.0.layers.0.0.to_qkv.weight")
        stems = weights.count("mask_estimators.{}.to_freqs.0.0.0.weight")
        self._check("depth", depth)
        self._check("num_stems", stems)
        core = RoformerCore(
            self._split(),
            [
                (
                    self._transformer(index, spectrum.frames, along_frames=True),
                    self._transformer(index, len(self._bands), along_frames=False),
                )
                for index in range(depth)
            ],
            weights.take_if_there("final_norm.gamma", self._dim),
            [self._estimator(row) for row in range(stems)],
            MaskMean(self._bands),
            skips=parameters["skip_connection"],
        )
        for name in _SHARED_BIASES:  # every layer has them by its own name too
            weights.take_if_there(name, None)
        weights.require_all_used()
        return RoformerNetwork(self._profile, core, spectrum, zero_dc=parameters["zero_dc"])

    def _check(self, name: str, found: int) -> None:
        stated = self._parameters[name]
        if stated != found:
            raise ModelUnavailable(f"{name}: {stated}, but the weights are of {found}")

    def _split(self) -> BandSplit:
        layers = []
        for group in self._bands.by_width:
            folded, biases = [], []
            for index in group:
                name, width = f"band_split.to_features.{index}", self._width(index)
                gain = self._weights.take(f"{name}.0.gamma", width)
                folded.append(self._weights.take(f"{name}.1.weight", self._dim, width) * gain)
                biases.append(self._weights.take(f"{name}.1.bias", self._dim))
            layers.append(Stack(folded, biases))
        return BandSplit(self._bands, layers)

    def _width(self, band: int) -> int:
        return self._parts * len(self._bands.frequencies[band])

    def _transformer(self, index: int, length: int, *, along_frames: bool) -> Transformer:
        name = f"layers.{index}.{0 if along_frames else 1}"
        depth = self._weights.count(f"{name}.layers.{{}}.0.to_qkv.weight")
        self._check(f"{'time' if along_frames else 'freq'}_transformer_depth", depth)
        frequencies = rotary_frequencies(self._head_width)
        layers = []
        for layer in range(depth):
            attention, feed = (f"{name}.layers.{layer}.{part}" for part in (0, 1))
            stored = f"{attention}.rotary_embed.freqs"  # one tensor, which all layers name
            if stored in self._weights:
                frequencies = self._weights.take(stored, self._head_width // 2)
            layers.append(Layer(self._attention(attention), *self._feed(feed)))
        norm = self._weights.take_if_there(f"{name}.norm.gamma", self._dim)
        return Transformer(layers, norm, Rotary(frequencies, length), along_frames=along_frames)

    def _attention(self, name: str) -> Attention:
        weights, dim, heads = self._weights, self._dim, self._heads
        inner = heads * self._head_width
        gain = weights.take(f"{name}.norm.gamma", dim)
        projection = weights.take(f"{name}.to_qkv.weight", 3 * inner, dim) * gain
        bias = self._bias(f"{name}.to_qkv.bias", _SHARED_BIASES[0], 3 * inner)
        biases = (None,) * 3 if bias is None else bias.chunk(3)
        projections = list(map(Linear, projection.chunk(3), biases))
        gates = None
        if f"{name}.to_gates.weight" in weights:
            gates = Linear(
                weights.take(f"{name}.to_gates.weight", heads, dim) * gain,
                weights.take(f"{name}.to_gates.bias", heads),
            )
        output = Linear(
            weights.take(f"{name}.to_out.0.weight", dim, inner),
            self._bias(f"{name}.to_out.0.bias", _SHARED_BIASES[1], dim),
        )
        return Attention(projections, gates, output, heads)

    def _bias(self, name: str, shared: str, length: int) -> Tensor | None:
        """Return the bias of one layer, or the one that all layers share."""
        own = self._weights.take_if_there(name, length)
        return self._weights.take_if_there(shared, length) if own is None else own

    def _feed(self, name: str) -> tuple[Linear, Linear]:
        """Return both layers of a feed-forward network."""
        weights, dim = self._weights, self._dim
        gain = weights.take(f"{name}.net.0.gamma", dim)
        widen = weights.take(f"{name}.net.1.weight", None, dim) * gain
        return (
            Linear(widen, weights.take(f"{name}.net.1.bias", len(widen))),
            Linear(
                weights.take(f"{name}.net.4.weight", dim, len(widen)),
                weights.take(f"{name}.net.4.bias", dim),
            ),
        )

    def _estimator(self, row: int) -> MaskEstimator:
        prefix = f"mask_estimators.{row}.to_freqs"
        # Layers have even numbers, the activations between them odd ones.
        depth = sum(f"{prefix}.0.0.{2 * layer}.weight" in self._weights for layer in range(16))
        groups = []
        for group in self._bands.by_width:
            stacks = []
            for layer in range(depth):
                names = [f"{prefix}.{index}.0.{2 * layer}" for index in group]
                outputs = 2 * self._width(group[0]) if layer == depth - 1 else None
                stacks.append(
                    Stack(
                        [self._weights.take(f"{name}.weight", outputs, None) for name in names],
                        [self._weights.take(f"{name}.bias", outputs) for name in names],
                    )
                )
            groups.append(Perceptrons(stacks))
        return MaskEstimator(self._bands, groups)


def rotary_frequencies(width: int) -> Tensor:
    """Return the frequencies of heads of this width where a checkpoint has none, `(width / 2,)`."""
    return _ROTARY_BASE ** -(torch.arange(0, width, 2) / width)


def bands_of(parameters: Mapping[str, Any]) -> Bands:
    """Return the bands of a network with these parameters.

    Raises:
        ModelUnavailable: `freqs_per_bands` does not fit `stft_n_fft`.
    """
    size = parameters["stft_n_fft"]
    if "num_bands" in parameters:
        return mel_bands(parameters["num_bands"], parameters["sample_rate"], size)
    widths = parameters["freqs_per_bands"]
    if sum(widths) != size // 2 + 1:
        raise ModelUnavailable(
            f"freqs_per_bands: {sum(widths)} frequencies instead of {size // 2 + 1}"
        )
    return adjacent_bands(widths)
