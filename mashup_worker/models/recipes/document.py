"""The YAML of recipes, and the checks before a model is loaded.

    steps:
      - stems: [vocals]
        model: kim_vocals
      - stems: [drums, bass, other]
        models:
          - model: htdemucs_ft
            weight: 2
          - model: scnet_large
            weights: {drums: 1, bass: 1, other: 0.5}
    remainder: other

The first step separates the song, and each later one what the steps before leave of it. A step of
several models is their weighted mean. `remainder` names the stem that is the song minus all others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from mashup_worker.errors import ModelUnavailable
from mashup_worker.models.recipes.recipe import Member, Recipe, Step
from mashup_worker.models.stem_names import STEM_NAME_RULE, is_stem_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self


def _stem(name: str) -> str:
    if not is_stem_name(name):
        raise ValueError(f"not a name of a stem: {name[:40]!r}; {STEM_NAME_RULE}")
    return name


_Stem = Annotated[str, AfterValidator(_stem)]
_Weight = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Member(_Strict):
    model: Annotated[str, Field(min_length=1, max_length=500)]
    weight: _Weight | None = None
    weights: dict[_Stem, _Weight] | None = None

    @model_validator(mode="before")
    @classmethod
    def _named(cls, given: Any) -> Any:
        return {"model": given} if isinstance(given, str) else given

    def weight_of(self, stem: str) -> float:
        if self.weights is not None:
            return self.weights.get(stem, 0.0)
        return 1.0 if self.weight is None else self.weight


class _Step(_Strict):
    stems: Annotated[list[_Stem], Field(min_length=1, max_length=20)]
    model: _Member | None = None
    models: Annotated[list[_Member], Field(min_length=1, max_length=20)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.model is None) == (self.models is None):
            raise ValueError("needs either `model` or `models`")
        for member in self.members:
            if member.weight is not None and member.weights is not None:
                raise ValueError(f"{member.model} has both `weight` and `weights`")
            others = set(member.weights or ()) - set(self.stems)
            if others:
                raise ValueError(f"{member.model} has a weight for {min(others)}, which is no stem")
        for stem in self.stems:
            if not any(member.weight_of(stem) for member in self.members):
                raise ValueError(f"no model has weight for {stem}")
        return self

    @property
    def members(self) -> list[_Member]:
        return self.models or [one for one in [self.model] if one is not None]


class _Document(_Strict):
    steps: Annotated[list[_Step], Field(min_length=1, max_length=10)]
    remainder: _Stem | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        stems = [stem for step in self.steps for stem in step.stems]
        twice = [stem for stem in stems if stems.count(stem) > 1]
        if twice:
            raise ValueError(f"{twice[0]} is made twice")
        if stems == [self.remainder]:
            raise ValueError(f"remainder {self.remainder}: no other stem is made")
        earlier = [stem for step in self.steps[:-1] for stem in step.stems]
        if self.remainder in earlier:
            raise ValueError(f"remainder {self.remainder}: made by a step that is not the last")
        return self


def read_recipe(definition: Mapping[str, Any], where: str) -> Recipe:
    """Return the recipe of a YAML file's content; `where` names the file in messages.

    Raises:
        ModelUnavailable: a key is unknown or a value is invalid; the message names the first one.
    """
    try:
        document = _Document.model_validate(definition)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            reason = "not a key of a recipe"
        raise ModelUnavailable(f"{where}: {place}{': ' * bool(place)}{reason}") from error
    return Recipe(
        steps=tuple(
            Step(
                stems=tuple(step.stems),
                members=tuple(
                    Member(
                        model=member.model,
                        weights={stem: member.weight_of(stem) for stem in step.stems},
                    )
                    for member in step.members
                ),
            )
            for step in document.steps
        ),
        remainder=document.remainder,
    )
