"""Bands of frequencies: from the spectrogram to tokens, and from tokens to masks.

Bands of one width are stacked, so that one product serves all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from mashup_worker.models.roformer.transformer import unit_rms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


@dataclass(frozen=True)
class Bands:
    """Frequencies of each band, in rising order; every frequency is in one band at least."""

    frequencies: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.frequencies)

    @property
    def by_width(self) -> list[list[int]]:
        """Indices of the bands of each width."""
        groups: dict[int, list[int]] = {}
        for index, band in enumerate(self.frequencies):
            groups.setdefault(len(band), []).append(index)
        return list(groups.values())

    @property
    def order(self) -> list[int]:
        """Indices of the bands, grouped by width."""
        return [index for group in self.by_width for index in group]

    @property
    def grouped_frequencies(self) -> list[int]:
        """Frequencies of all bands, grouped by width."""
        return [frequency for index in self.order for frequency in self.frequencies[index]]


def adjacent_bands(widths: Sequence[int]) -> Bands:
    """Return bands side by side, of these numbers of frequencies."""
    start, frequencies = 0, []
    for width in widths:
        frequencies.append(tuple(range(start, start + width)))
        start += width
    return Bands(tuple(frequencies))


def mel_bands(count: int, sample_rate: int, size: int) -> Bands:
    """Return bands that overlap: where triangular filters on Slaney's mel scale are not zero.

    The scale is linear up to 1 kHz, and logarithmic above. The lowest and the highest frequency are
    in the first and the last band.

    Args:
        count: number of bands.
        sample_rate: samples per second.
        size: samples of a frame.
    """
    bins = size // 2 + 1
    hz = torch.linspace(0, sample_rate / 2, bins, dtype=torch.float64)
    top = _mel(torch.tensor(sample_rate / 2, dtype=torch.float64))
    corners = _hz(torch.linspace(0, float(top), count + 2, dtype=torch.float64))
    inside = (hz > corners[:-2, None]) & (hz < corners[2:, None])
    inside[0, 0] = inside[-1, -1] = True
    return Bands(tuple(tuple(row.nonzero().flatten().tolist()) for row in inside))


_BREAK_HZ = 1000.0
_HZ_PER_MEL = 200.0 / 3
_LOG_STEP = torch.tensor(6.4, dtype=torch.float64).log() / 27


def _mel(hz: Tensor) -> Tensor:
    above = _BREAK_HZ / _HZ_PER_MEL + (hz.clamp(min=_BREAK_HZ) / _BREAK_HZ).log() / _LOG_STEP
    return torch.where(hz < _BREAK_HZ, hz / _HZ_PER_MEL, above)


def _hz(mel: Tensor) -> Tensor:
    past = mel - _BREAK_HZ / _HZ_PER_MEL
    return torch.where(past < 0, mel * _HZ_PER_MEL, _BREAK_HZ * (past * _LOG_STEP).exp())


class Stack(nn.Module):
    """Linear layers of several bands: weights of shape `(bands, in, out)`, one bias each."""

    def __init__(self, weights: list[Tensor], biases: list[Tensor]) -> None:
        super().__init__()
        weight = torch.stack([one.t() for one in weights])
        self.weight = nn.Parameter(weight.contiguous(), False)
        self.bias = nn.Parameter(torch.stack(biases)[:, None], False)

    def forward(self, x: Tensor) -> Tensor:
        """Shape: `(bands, tokens, in)` to `(bands, tokens, out)`, in the type of the weights."""
        return torch.baddbmm(self.bias, x.to(self.weight.dtype), self.weight)


class BandSplit(nn.Module):
    """Tokens of all bands, with the norm of each band in the weights.

    Args:
        layers: linear layers of each group of `bands.by_width`.
    """

    def __init__(self, bands: Bands, layers: list[Stack]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self._groups = [(len(group), len(bands.frequencies[group[0]])) for group in bands.by_width]
        self.register_buffer("frequencies", torch.tensor(bands.grouped_frequencies))
        self.register_buffer("places", torch.tensor(bands.order).argsort())

    frequencies: Tensor
    places: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Return float32 tokens.

        Shape: float32 `(batch, frames, frequencies, parts)` to `(batch, frames, bands, channels)`.
        """
        picked = x.index_select(2, self.frequencies).flatten(0, 1)
        sizes = [count * width for count, width in self._groups]
        tokens = []
        for part, (count, _), layer in zip(
            picked.split(sizes, 1), self._groups, self.layers, strict=True
        ):
            normal = unit_rms(part.reshape(len(part), count, -1))
            tokens.append(layer(normal.transpose(0, 1)))
        made = torch.cat(tokens).transpose(0, 1).index_select(1, self.places)
        split: Tensor = made.float().unflatten(0, x.shape[:2])
        return split


class Perceptrons(nn.Sequential):
    """Perceptrons of several bands of one width, which make their masks."""

    def __init__(self, layers: list[Stack]) -> None:
        activations = [nn.Identity(), *(nn.Tanh() for _ in layers[1:])]
        pairs = zip(activations, layers, strict=True)
        super().__init__(*(module for pair in pairs for module in pair), nn.GLU(-1))


class MaskEstimator(nn.Module):
    """Masks of all bands for one stem.

    Args:
        groups: perceptrons of each group of `bands.by_width`.
    """

    def __init__(self, bands: Bands, groups: list[Perceptrons]) -> None:
        super().__init__()
        self.groups = nn.ModuleList(groups)
        self._sizes = [len(group) for group in bands.by_width]
        self.register_buffer("order", torch.tensor(bands.order))

    order: Tensor

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the masks of all bands, grouped by width.

        Shape: `(tokens, bands, channels)` to `(tokens, frequencies * parts)`.
        """
        ordered = tokens.index_select(1, self.order).transpose(0, 1)
        masks = [
            perceptrons(x).transpose(0, 1).flatten(1)
            for x, perceptrons in zip(ordered.split(self._sizes), self.groups, strict=True)
        ]
        return torch.cat(masks, 1)


class MaskMean(nn.Module):
    """Mean of the masks of the bands that share a frequency, by gathering only."""

    def __init__(self, bands: Bands) -> None:
        super().__init__()
        places: dict[int, list[int]] = {}
        for place, frequency in enumerate(bands.grouped_frequencies):
            places.setdefault(frequency, []).append(place)
        most = max(map(len, places.values()))
        rows = [places[frequency] for frequency in sorted(places)]
        padded = [row + row[:1] * (most - len(row)) for row in rows]
        shares = [[1 / len(row)] * len(row) + [0.0] * (most - len(row)) for row in rows]
        self.register_buffer("places", torch.tensor(padded).t().contiguous())
        self.register_buffer("shares", torch.tensor(shares).t().contiguous()[..., None])

    places: Tensor
    shares: Tensor

    def forward(self, masks: Tensor) -> Tensor:
        """Shape: `(tokens, places, parts)` to float32 `(tokens, frequencies, parts)`."""
        total: Tensor
        total, *others = (
            masks.index_select(1, places) * shares
            for places, shares in zip(self.places, self.shares, strict=True)
        )
        for one in others:
            total += one
        return total
