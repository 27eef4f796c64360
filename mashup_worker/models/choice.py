"""Choice of the model that `auto` stands for, and refusal of models by their licenses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.errors import ModelNotAllowed
from mashup_worker.licenses import refusal
from mashup_worker.models.catalogue import FOUR_STEMS, find
from mashup_worker.models.recipes.places import Place, license_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mashup_worker.licenses import License, LicenseRule
    from mashup_worker.models.catalogue import Model
    from mashup_worker.models.store import WeightStore

AUTO = "auto"
"""Name that stands for the best model that is allowed and available."""

PREFERRED = "htdemucs"
"""Model that `auto` loads where it can."""

LITE = "lite"
"""Offline preview model, whose weights come with a package."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Model that may be loaded.

    Attributes:
        repository: folder of checkpoints that holds it; None for the cache.
        may_fetch: whether missing weights are fetched.
    """

    name: str
    license: License
    repository: Path | None = None
    may_fetch: bool = True


def license_of(name: str, store: WeightStore, repository: Path | None = None) -> License:
    """Return the license of a model, of a recipe those of all parts; a folder states none.

    Raises:
        UnknownModel: no model has this name, or a recipe names one that does not exist.
        ModelUnavailable: a recipe is damaged, or contains itself.
    """
    return license_at(Place(name, repository), store)


def chosen(
    name: str, rule: LicenseRule, store: WeightStore, repository: Path | None = None
) -> Choice:
    """Return the model `name`.

    Raises:
        UnknownModel: no model has this name.
        ModelNotAllowed: the rule excludes its license.
    """
    terms = license_of(name, store, repository)
    if not rule.allows(terms):
        raise ModelNotAllowed(f"{refusal(name, terms, rule)}; {_alternatives(rule, store)}")
    return Choice(name=name, license=terms, repository=repository)


def automatic(
    rule: LicenseRule, store: WeightStore, repository: Path | None = None
) -> Iterator[Choice]:
    """Yield the models that `auto` tries, best first.

    These are the preferred model, then models with the same stems by their published quality, then
    `lite`. Where the preferred model is allowed, but unavailable, no other weights are fetched in
    its place.

    Raises:
        ModelNotAllowed: the rule allows none of these; raised at the first step.
    """
    terms = license_of(PREFERRED, store, repository)
    preferred = Choice(name=PREFERRED, license=terms, repository=repository)
    others = [
        Choice(
            name=model.name,
            license=model.license,
            may_fetch=model.recipe is None and not rule.allows(terms),
        )
        for model in sorted(store.models().values(), key=_quality)
        if model.name not in (PREFERRED, LITE) and set(model.stems) >= set(FOUR_STEMS)
    ]
    lite = Choice(name=LITE, license=find(LITE).license)
    allowed = [one for one in (preferred, *others, lite) if rule.allows(one.license)]
    if not allowed:
        raise ModelNotAllowed(f"{AUTO}: no model has an allowed license ({rule})")
    yield from allowed


def _quality(model: Model) -> tuple[bool, float]:
    """Return a key that sorts models by published quality, previews and unknown quality last."""
    return model.preview, -(model.sdr.value_db if model.sdr else 0)


def _alternatives(rule: LicenseRule, store: WeightStore) -> str:
    allowed = [name for name, model in store.models().items() if rule.allows(model.license)]
    here = [name for name in allowed if store.is_there(name)]
    if here:
        return f"use {', '.join(here)}"
    return f"pull one of {', '.join(allowed)}" if allowed else "no model has such a license"
