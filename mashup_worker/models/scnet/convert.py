"""Conversion of a checkpoint of SCNet, or of its masked variant, to this memory layout."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from mashup_worker.errors import ModelUnavailable
from mashup_worker.models.layers import Convolution, Gate, Linear
from mashup_worker.models.lstm import BidirectionalLstm
from mashup_worker.models.scnet.core import MaskHead, SparseCore
from mashup_worker.models.scnet.dual_path import DualPath, Recurrence
from mashup_worker.models.scnet.layers import Branches, Decoder, Down, Encoder, RowBranch, Up
from mashup_worker.models.scnet.network import SparseNetwork
from mashup_worker.models.spectrum import Spectrum
from mashup_worker.models.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from torch import Tensor

    from mashup_worker.models.network import NetworkProfile

_BANDS = 3


def convert(
    state: Mapping[str, Tensor], parameters: Mapping[str, Any], profile: NetworkProfile
) -> SparseNetwork:
    """Return the network with copies of the weights, on the CPU in float32.

    The masked variant is recognized by its weights.

    Args:
        state: weights by the names of SCNet's author and of Music-Source-Separation-Training.
        parameters: all arguments of the network but `sources`, defaults included.
        profile: what the network declares; windows have the length of a segment.

    Raises:
        ModelUnavailable: a parameter or weight is of a kind that is not run, is missing, or does
            not fit the others. The message starts with its name.
    """
    return build(Weights(state), parameters, profile)


def build(
    weights: Weights, parameters: Mapping[str, Any], profile: NetworkProfile
) -> SparseNetwork:
    """Return the network with these weights. Arguments and errors are those of `convert`."""
    _check(parameters, profile)
    with torch.no_grad():
        return _Conversion(weights, parameters, profile).network().eval()


def _check(parameters: Mapping[str, Any], profile: NetworkProfile) -> None:
    channels = 2 * profile.channels
    for name, holds, need in (
        ("audio_channels", 2 * parameters["audio_channels"] == channels, profile.channels),
        ("dims", parameters["dims"][0] == channels, f"{channels} at first"),
        ("num_dplayer", parameters["num_dplayer"] % 2 == 0, "an even number"),
        ("win_size", parameters["win_size"] <= parameters["nfft"], "at most nfft"),
        ("hop_size", parameters["hop_size"] <= parameters["win_size"], "at most win_size"),
        ("conv_kernel", parameters["conv_kernel"] % 2 == 1, "an odd number"),
    ):
        if not holds:
            raise ModelUnavailable(f"{name}: {parameters[name]} instead of {need}")
    for name in ("band_SR", "band_stride", "band_kernel", "conv_depths"):
        if len(parameters[name]) != _BANDS:
            raise ModelUnavailable(f"{name}: not a list of {_BANDS} values")
    for stride, kernel in zip(parameters["band_stride"], parameters["band_kernel"], strict=True):
        if kernel != stride and (stride != 1 or kernel % 2 == 0):
            raise ModelUnavailable(f"band_kernel: {kernel} with stride {stride} is not supported")


@dataclass(frozen=True)
class _Level:
    """Rows of each band at one level, before and after its convolution."""

    rows: list[int]
    fewer_rows: list[int]


class _Conversion:
    """Conversion of one network, part by part."""

    def __init__(
        self, weights: Weights, parameters: Mapping[str, Any], profile: NetworkProfile
    ) -> None:
        self._weights = weights
        self._parameters = parameters
        self._profile = profile
        self._stems = len(profile.stems)
        self._dims = parameters["dims"]

    def network(self) -> SparseNetwork:
        parameters, weights = self._parameters, self._weights
        masked = "pos_embed_f" in weights
        spectrum = self._spectrum(masked=masked)
        frequencies = parameters["nfft"] // 2 + 1
        levels, encoders = [], []
        rows = frequencies
        for index in range(len(self._dims) - 1):
            encoder, level = self._encoder(index, rows)
            encoders.append(encoder)
            levels.append(level)
            rows = sum(level.fewer_rows)
        core = SparseCore(
            encoders,
            self._dual_path(spectrum.frames),
            [self._decoder(index, level) for index, level in reversed([*enumerate(levels)])],
            self._head() if masked else None,
        )
        positions = None
        if masked:
            table = weights.take("pos_embed_f", 1, self._dims[0], frequencies, 1)
            positions = table[0, :, :, 0].t().contiguous()
        weights.require_all_used()
        return SparseNetwork(self._profile, core, spectrum, positions)

    def _spectrum(self, *, masked: bool) -> Spectrum:
        parameters = self._parameters
        size, hop, window = (parameters[name] for name in ("nfft", "hop_size", "win_size"))
        if masked and window != size:
            raise ModelUnavailable(f"win_size: {window} instead of nfft, {size}")
        # The windows are filled up with zeros, always some, to an even number of frames.
        hops = self._profile.segment_samples // hop + 1
        return Spectrum(
            size,
            hop,
            (hops + 1 - hops % 2) * hop,
            torch.hann_window(window) if masked else torch.ones(window),
            normalized=parameters["normalized"],
        )

    def _encoder(self, index: int, rows: int) -> tuple[Encoder, _Level]:
        weights, parameters, name = self._weights, self._parameters, f"encoder.{index}"
        inputs, channels = self._dims[index : index + 2]
        low, middle, _ = parameters["band_SR"]
        ends = [ceil(rows * low), ceil(rows * (low + middle))]
        splits = [ends[0], ends[1] - ends[0], rows - ends[1]]
        bands = []
        for band, count in enumerate(splits):
            stride, kernel = (parameters[key][band] for key in ("band_stride", "band_kernel"))
            branches, ahead = self._branches(f"{name}.conv_modules.{band}", band, channels)
            convolution = f"{name}.SDlayer.convs.{band}"
            kernels = weights.take(f"{convolution}.weight", channels, inputs, kernel, 1)[..., 0]
            bias = weights.take(f"{convolution}.bias", channels) + ahead
            if count < 1:
                raise ModelUnavailable("band_SR: a band without frequencies")
            bands.append((Down(kernels, bias, stride, count), branches))
        kernels, bias = self._kernel(f"{name}.globalconv", channels, channels, 3)
        mix = Convolution(kernels, bias, padding=(1, 1))
        return Encoder(bands, splits, mix), _Level(splits, [down.rows for down, _ in bands])

    def _branches(self, name: str, band: int, channels: int) -> tuple[Branches, Tensor]:
        """Return the branches of a band, and the biases that their input must hold."""
        weights, parameters = self._weights, self._parameters
        hidden, kernel = int(channels / parameters["compress"]), parameters["conv_kernel"]
        ahead = torch.zeros(channels)
        branches = []
        for index in reversed(range(parameters["conv_depths"][band])):
            layer = f"{name}.layers.{index}"
            ahead = ahead + weights.take(f"{layer}.6.bias", channels)
            squeeze = weights.take(f"{layer}.1.weight", 2 * hidden, channels, kernel)[..., None]
            branches.append(
                RowBranch(
                    self._affine(f"{layer}.0", channels),
                    Gate(squeeze, weights.take(f"{layer}.1.bias", 2 * hidden), (kernel // 2, 0)),
                    weights.take(f"{layer}.3.weight", hidden, 1, kernel)[:, 0],
                    weights.take(f"{layer}.3.bias", hidden),
                    self._affine(f"{layer}.4", hidden),
                    weights.take(f"{layer}.6.weight", channels, hidden, 1)[..., 0],
                    ahead,
                )
            )
        return Branches(branches[::-1]), ahead

    def _dual_path(self, frames: int) -> DualPath:
        layers = []
        for index in range(self._parameters["num_dplayer"]):
            width = self._dims[-1] * (2 if index % 2 else 1)
            name = f"separation_net.dp_modules.{index}"
            layers.append(
                (
                    self._recurrence(name, 0, width, along="rows"),
                    self._recurrence(name, 1, width, along="frames"),
                )
            )
        return DualPath(layers, frames)

    def _recurrence(
        self, name: str, axis: int, width: int, *, along: Literal["frames", "rows"]
    ) -> Recurrence:
        weights, hidden = self._weights, width * self._parameters["expand"]
        lstm = nn.LSTM(width, hidden, bidirectional=True).requires_grad_(False)
        for parameter, target in lstm.named_parameters():
            target.copy_(weights.take(f"{name}.lstm_layers.{axis}.{parameter}", *target.shape))
        project = f"{name}.linear_layers.{axis}"
        return Recurrence(
            self._affine(f"{name}.norm_layers.{axis}", width),
            BidirectionalLstm(lstm),
            Linear(
                weights.take(f"{project}.weight", width, 2 * hidden),
                weights.take(f"{project}.bias", width),
            ),
            along=along,
        )

    def _decoder(self, index: int, level: _Level) -> Decoder:
        weights, parameters = self._weights, self._parameters
        name = f"decoder.{len(self._dims) - 2 - index}"
        outputs, channels = self._dims[index : index + 2]
        if index == 0:
            outputs *= self._stems
        kernels, bias = self._kernel(f"{name}.0.conv", 2 * channels, 2 * channels, 3)
        ups = []
        for band, (rows, fewer) in enumerate(zip(level.rows, level.fewer_rows, strict=True)):
            stride, kernel = (parameters[key][band] for key in ("band_stride", "band_kernel"))
            convolution = f"{name}.1.convtrs.{band}"
            ups.append(
                Up(
                    weights.take(f"{convolution}.weight", channels, outputs, kernel, 1)[..., 0],
                    weights.take(f"{convolution}.bias", outputs),
                    stride,
                    rows,
                    fewer,
                )
            )
        fuse = Gate(kernels[:, :channels] + kernels[:, channels:], bias, (1, 1))
        return Decoder(fuse, ups, level.fewer_rows)

    def _head(self) -> MaskHead:
        channels = self._dims[0] * self._stems
        widened = 64  # the masked variant has no parameter for it
        widen = self._kernel("mask_layer.0", widened, channels, 3)
        narrow = self._kernel("mask_layer.2", channels, widened, 1)
        return MaskHead(Convolution(*widen, padding=(1, 1)), Convolution(*narrow))

    def _kernel(self, name: str, outputs: int, inputs: int, size: int) -> tuple[Tensor, Tensor]:
        """Return kernels as `(out, in, frames, rows)`, and biases; SCNet has rows first."""
        weight = self._weights.take(f"{name}.weight", outputs, inputs, size, size)
        return weight.transpose(2, 3), self._weights.take(f"{name}.bias", outputs)

    def _affine(self, name: str, channels: int) -> Tensor:
        weights = (self._weights.take(f"{name}.{part}", channels) for part in ("weight", "bias"))
        return torch.stack([*weights])
