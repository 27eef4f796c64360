"""What is written for a song: stems as sums of what a model computes and of the mix itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from mashup_worker.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from mashup_worker.audio.signal import SampleSource


WITHOUT = "no_"
"""Before a kind: the mix without it."""


@dataclass(frozen=True)
class Recipe:
    """How one stem is made.

    Attributes:
        kind: what the stem is called.
        mix: factor of the original mix.
        parts: factors of the stems that the model computes.
    """

    kind: str
    mix: float
    parts: Mapping[str, float]


def recipes(
    model_stems: Sequence[str], residual_stem: str | None, wanted: Sequence[str]
) -> tuple[Recipe, ...]:
    """The recipes for the wanted stems.

    Args:
        model_stems: all that the model makes.
        residual_stem: the stem that is the mix less all others, where there is one. Taking it
            from the original mix keeps the sum exact at any sample rate.
        wanted: kinds of stems; `no_<kind>` is the mix without that kind.

    Raises:
        InvalidInput: a kind that the model does not make, or no kind at all.
    """
    if not wanted:
        raise InvalidInput("no stem asked for")
    return tuple(_recipe(model_stems, residual_stem, kind) for kind in dict.fromkeys(wanted))


def _recipe(model_stems: Sequence[str], residual_stem: str | None, kind: str) -> Recipe:
    base = kind.removeprefix(WITHOUT)
    if base not in model_stems:
        raise InvalidInput(f"no stem {kind!r} in this model: it makes {', '.join(model_stems)}")
    if base != residual_stem:
        stem = Recipe(kind, 0.0, {base: 1.0})
    else:
        stem = Recipe(kind, 1.0, {other: -1.0 for other in model_stems if other != base})
    if base == kind:
        return stem
    return Recipe(kind, 1.0 - stem.mix, {part: -factor for part, factor in stem.parts.items()})


def computed_stems(made: Sequence[Recipe]) -> tuple[str, ...]:
    """The stems that the model has to compute for `made`."""
    return tuple(dict.fromkeys(part for recipe in made for part in recipe.parts))


@dataclass(frozen=True)
class Stem:
    """One stem of a song, put together as it is read. A `SampleSource`."""

    recipe: Recipe
    song: SampleSource
    parts: Mapping[str, SampleSource]

    @property
    def kind(self) -> str:
        """What the stem is called."""
        return self.recipe.kind

    @property
    def rate_hz(self) -> int:
        """Samples a second."""
        return self.song.rate_hz

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.song.channels

    @property
    def length_samples(self) -> int:
        """Samples a channel."""
        return self.song.length_samples

    @property
    def is_on_host(self) -> bool:
        """Whether its samples are in the host's memory, or on its disk."""
        return self.song.read(0, 0).device.type == "cpu"

    def read(self, start: int, stop: int) -> Tensor:
        """Samples `start` up to `stop`, shape `(channels, stop - start)`."""
        song = self.song.read(start, stop)
        total = self.recipe.mix * song if self.recipe.mix else torch.zeros_like(song)
        for part, factor in self.recipe.parts.items():
            total += factor * self.parts[part].read(start, stop)
        return total
