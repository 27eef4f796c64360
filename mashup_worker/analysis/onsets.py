"""Onset strength by frequency band: multi-band log spectral flux.

The band-wise difference of compressed magnitudes goes back to A. Klapuri, "Sound onset detection by
applying psychoacoustic knowledge", ICASSP 1999; the frames, compression and lag follow S. Böck,
F. Krebs and M. Schedl, "Evaluating the online capabilities of onset detection methods", ISMIR 2012.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from mashup_worker.analysis.frames import as_batch, magnitudes

RATE_HZ = 22_050
"""Sample rate of the input; it keeps hi-hats and halves the work."""

HOP_SAMPLES = 220
FRAME_RATE_HZ = RATE_HZ / HOP_SAMPLES
_WINDOW_SAMPLES = 1024
_LAG_FRAMES = 2
_FEWEST_FRAMES = 4

GROUPS = ("low", "mid", "high", "top")
"""Band groups: kick and bass; bodies of snares, chords; snare rattle, consonants; hi-hats."""

_GROUP_EDGES_HZ = (25.0, 150.0, 700.0, 5_000.0, 10_800.0)
_BANDS_PER_OCTAVE = 4
_COMPRESSION = 100.0
_BURST_BANDS = slice(-14, -3)
"""1 to 6 kHz, between voices and strings below and hi-hats above."""

_BURST_BEFORE_FRAMES, _BURST_FRAMES, _BURST_LATER_FRAMES = (-7, -3), (1, 8), (18, 26)


@dataclass(frozen=True, eq=False, kw_only=True)
class Onsets:
    """Onset strength over time.

    Attributes:
        groups: strength by band group, shape `(..., len(GROUPS), frames)`, 0 and up.
        accents: the same without compression, so that a snare stands out among hi-hats; each group
            has a mean of 1 unless it is silent.
        bursts: short noise, such as snares and claps, shape `(..., frames)`, mean 1.
        strength: strength of all bands together, shape `(..., frames)`, 0 and up.
        levels: mean magnitude of the spectrum, shape `(..., frames)`.
        centroids: centroid of the spectrum in octaves above 1 Hz, shape `(..., frames)`.
    """

    groups: Tensor
    accents: Tensor
    bursts: Tensor
    strength: Tensor
    levels: Tensor
    centroids: Tensor

    @property
    def frames(self) -> int:
        """Number of frames."""
        return int(self.strength.shape[-1])

    def between(self, first: int, stop: int | None = None) -> Onsets:
        """Return the onsets of a part, from frame `first` until `stop` or the end."""
        part = slice(first, stop)
        return Onsets(
            groups=self.groups[..., part],
            accents=self.accents[..., part],
            bursts=self.bursts[..., part],
            strength=self.strength[..., part],
            levels=self.levels[..., part],
            centroids=self.centroids[..., part],
        )


def find_onsets(samples: Tensor) -> Onsets:
    """Compute the onset strength of mono sound at `RATE_HZ`.

    Frame `i` is at `i / FRAME_RATE_HZ`. Values are independent of the level of the sound.

    Shape: `(..., samples)`; leading sizes are a batch.
    """
    filters = _filters().to(samples.device)
    pieces = [
        torch.einsum("ntf,bf->nbt", magnitude, filters)
        for magnitude, _, _ in magnitudes(as_batch(samples), _WINDOW_SAMPLES, HOP_SAMPLES)
    ]
    bands = torch.cat(pieces, dim=-1)
    bands = F.pad(bands, (0, max(0, _FEWEST_FRAMES - bands.shape[-1])))
    bands = bands.reshape(*samples.shape[:-1], *bands.shape[1:])
    reference = bands.mean(dim=(-1, -2), keepdim=True).clamp_min(1e-7)
    loudness = torch.log1p(_COMPRESSION * bands / reference)
    groups = _by_group(_rise(loudness))
    accents = _rise(_by_group(bands))
    accents = accents / accents.mean(dim=-1, keepdim=True).clamp_min(1e-9)
    edges_hz = _edges_hz()[0].to(bands)
    widths, centers = edges_hz.diff(), (edges_hz[:-1] * edges_hz[1:]).sqrt().log2()
    levels = torch.einsum("...bt,b->...t", bands, widths / widths.sum())
    sums = bands.sum(dim=-2).clamp_min(1e-9)
    centroids = torch.einsum("...bt,b->...t", bands, centers) / sums
    return Onsets(
        groups=groups,
        accents=accents,
        bursts=_bursts(bands),
        strength=groups.mean(dim=-2),
        levels=levels,
        centroids=centroids,
    )


def _bursts(bands: Tensor) -> Tensor:
    """Return noise that starts and ends within a quarter of a second, such as snares and claps.

    Struck chords last longer and the click of a kick is shorter, so neither contributes.
    """
    noise = bands[..., _BURST_BANDS, :].mean(dim=-2)
    before, after = -_BURST_BEFORE_FRAMES[0], _BURST_LATER_FRAMES[1]
    sums = F.pad(F.pad(noise, (before, after)).cumsum(dim=-1), (1, 0))
    frames = noise.shape[-1]

    def mean(between: tuple[int, int]) -> Tensor:
        start, stop = between[0] + before, between[1] + before + 1
        return (sums[..., stop : stop + frames] - sums[..., start : start + frames]) / (
            stop - start
        )

    rest = torch.maximum(mean(_BURST_BEFORE_FRAMES), mean(_BURST_LATER_FRAMES))
    burst = (mean(_BURST_FRAMES) - rest).relu()
    return burst / burst.mean(dim=-1, keepdim=True).clamp_min(1e-9)


def _rise(values: Tensor) -> Tensor:
    """Return the growth of values over the lag, at its center; 0 where they fall."""
    grown = (values[..., _LAG_FRAMES:] - values[..., :-_LAG_FRAMES]).relu()
    return F.pad(grown, (_LAG_FRAMES // 2, _LAG_FRAMES - _LAG_FRAMES // 2))


def _by_group(bands: Tensor) -> Tensor:
    """Return the means over the bands of each group."""
    parts = bands.split(list(_group_sizes()), dim=-2)
    return torch.stack([part.mean(dim=-2) for part in parts], dim=-2)


@lru_cache(maxsize=1)
def _edges_hz() -> tuple[Tensor, tuple[int, ...]]:
    """Return the edges of the bands and the number of bands in each group."""
    edges, sizes = [_GROUP_EDGES_HZ[0]], []
    resolution_hz = RATE_HZ / _WINDOW_SAMPLES
    for low_hz, high_hz in pairwise(_GROUP_EDGES_HZ):
        count = 0
        hz = low_hz
        while hz < high_hz:
            step_hz = max(hz * (2 ** (1 / _BANDS_PER_OCTAVE) - 1), resolution_hz)
            hz = high_hz if hz + 1.5 * step_hz > high_hz else hz + step_hz
            edges.append(hz)
            count += 1
        sizes.append(count)
    return torch.tensor(edges), tuple(sizes)


def _group_sizes() -> tuple[int, ...]:
    return _edges_hz()[1]


@lru_cache(maxsize=1)
def _filters() -> Tensor:
    """Return weights that average the bins of a band, shape `(bands, bins)`; edges share bins."""
    edges = _edges_hz()[0]
    width = RATE_HZ / _WINDOW_SAMPLES
    bins_hz = torch.arange(_WINDOW_SAMPLES // 2 + 1) * width
    low = torch.maximum(bins_hz - width / 2, edges[:-1, None])
    high = torch.minimum(bins_hz + width / 2, edges[1:, None])
    shares = (high - low).clamp_min(0)
    return shares / shares.sum(dim=1, keepdim=True)
