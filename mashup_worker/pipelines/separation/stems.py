"""Stems as weighted sums of a model's outputs and of the original mix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.errors import InvalidInput
from mashup_worker.vocabulary import COMPLEMENT_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from mashup_worker.audio.signal import SampleSource


@dataclass(frozen=True)
class StemMix:
    """Weights of one stem: that of the original mix, and those of the model's outputs."""

    kind: str
    mix: float
    parts: Mapping[str, float]


def stem_mixes(
    model_stems: Sequence[str], residual_stem: str | None, wanted: Sequence[str]
) -> tuple[StemMix, ...]:
    """Return the weights of the requested stems; `no_<kind>` is the mix without that kind.

    A model may define `residual_stem` as the mix minus all others. Computing it from the original
    mix keeps the sum exact at any sample rate.

    Raises:
        InvalidInput: the model lacks a kind, or no kind is requested.
    """
    if not wanted:
        raise InvalidInput("stems: none requested; name one or more")
    return tuple(_stem_mix(model_stems, residual_stem, kind) for kind in dict.fromkeys(wanted))


def _stem_mix(model_stems: Sequence[str], residual_stem: str | None, kind: str) -> StemMix:
    base = kind.removeprefix(COMPLEMENT_PREFIX)
    if base not in model_stems:
        raise InvalidInput(f"{kind}: not a stem of this model; use one of {', '.join(model_stems)}")
    if base != residual_stem:
        stem = StemMix(kind, 0.0, {base: 1.0})
    else:
        stem = StemMix(kind, 1.0, {other: -1.0 for other in model_stems if other != base})
    if base == kind:
        return stem
    return StemMix(kind, 1.0 - stem.mix, {part: -factor for part, factor in stem.parts.items()})


def computed_stems(made: Sequence[StemMix]) -> tuple[str, ...]:
    """Return the outputs that the model must compute for these stems."""
    return tuple(dict.fromkeys(part for stem in made for part in stem.parts))


@dataclass(frozen=True)
class Stem:
    """Stem of a song, computed as it is read. A `SampleSource`."""

    weights: StemMix
    song: SampleSource
    parts: Mapping[str, SampleSource]

    @property
    def kind(self) -> str:
        """Kind of the stem."""
        return self.weights.kind

    @property
    def sample_rate(self) -> int:
        """Sample rate."""
        return self.song.sample_rate

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.song.channels

    @property
    def length_samples(self) -> int:
        """Samples per channel."""
        return self.song.length_samples

    @property
    def is_on_host(self) -> bool:
        """Whether its samples are in host memory or on disk."""
        return self.song.read(0, 0).device.type == "cpu"

    def read(self, start: int, stop: int) -> Tensor:
        """Return samples `start` to `stop`, shape `(channels, stop - start)`."""
        terms = [(self.parts[part], factor) for part, factor in self.weights.parts.items()]
        if self.weights.mix or not terms:
            terms.insert(0, (self.song, self.weights.mix))
        (source, factor), *rest = terms
        total = factor * source.read(start, stop)
        for source, factor in rest:
            total.add_(source.read(start, stop), alpha=factor)
        return total
