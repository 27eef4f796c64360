"""Recipes: models that are made of other models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEY = "steps"
"""Key that no other definition of a model has."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """Model of a step.

    Attributes:
        model: name of a model, or path of one.
        weights: weight of each stem of the step, in any scale.
    """

    model: str
    weights: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Step:
    """Models that separate the same sound, and the stems that their mean gives."""

    stems: tuple[str, ...]
    members: tuple[Member, ...]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Model made of other models.

    Attributes:
        remainder: stem that is the song minus all others; None where each stem is an estimate.
    """

    steps: tuple[Step, ...]
    remainder: str | None = None

    @property
    def stems(self) -> tuple[str, ...]:
        """Stems in the order of the steps; a remainder that no step makes is the last."""
        made = tuple(stem for step in self.steps for stem in step.stems)
        last = self.remainder
        return made if last is None or last in made else (*made, last)

    @property
    def models(self) -> tuple[str, ...]:
        """Models, each once."""
        return tuple(dict.fromkeys(one.model for step in self.steps for one in step.members))


def is_recipe(definition: Mapping[str, Any]) -> bool:
    """Return whether the content of a YAML file is that of a recipe."""
    return _KEY in definition
