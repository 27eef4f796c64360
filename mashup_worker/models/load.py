"""Load a separator by the name of its model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mashup_worker.errors import ModelUnavailable, StorageFailed
from mashup_worker.licenses import ALL_LICENSES, refusal
from mashup_worker.models.choice import AUTO, LITE, PREFERRED, automatic, chosen, license_of
from mashup_worker.models.recipes.places import Place, license_at, member_at, recipe_at

if TYPE_CHECKING:
    from pathlib import Path

    from mashup_worker.licenses import LicenseRule
    from mashup_worker.models.choice import Choice
    from mashup_worker.models.engine import EngineOptions
    from mashup_worker.models.offers import OnBytes
    from mashup_worker.models.separator import Separator
    from mashup_worker.models.store import WeightStore


@dataclass(frozen=True)
class LoadedModel:
    """Separator ready on its device.

    Attributes:
        fallback_reason: why `auto` loaded another model than the preferred one; None otherwise.
    """

    separator: Separator
    fallback_reason: str | None = None


def load_model(
    name: str,
    options: EngineOptions,
    store: WeightStore,
    *,
    repository: Path | None = None,
    on_fetch: OnBytes | None = None,
    rule: LicenseRule = ALL_LICENSES,
) -> LoadedModel:
    """Load the model `name`; `auto` loads the first available one of `choice.automatic`.

    Missing weights are fetched into the store, and `on_fetch` is called with the bytes fetched and
    the bytes of the model. A `repository`, a folder of checkpoints, replaces catalogue and store.

    Raises:
        UnknownModel: neither the catalogue nor the repository has it.
        ModelNotAllowed: the rule excludes its license.
        ModelUnavailable: its weights are missing or damaged.
        DeviceUnavailable: the machine lacks the device.
        InvalidInput: an option is invalid.
    """
    if name != AUTO:
        return LoadedModel(_load(chosen(name, rule, store, repository), options, store, on_fetch))
    terms = license_of(PREFERRED, store, repository)
    reason = None if rule.allows(terms) else refusal(PREFERRED, terms, rule)
    for choice in automatic(rule, store, repository):
        if choice.may_fetch or store.is_there(choice.name):
            try:
                return LoadedModel(_load(choice, options, store, on_fetch), reason)
            except (ModelUnavailable, StorageFailed) as error:
                if choice.name == LITE:
                    raise
                reason = reason or error.message
    raise ModelUnavailable(reason)


def _load(
    choice: Choice, options: EngineOptions, store: WeightStore, on_fetch: OnBytes | None
) -> Separator:
    """Load exactly the chosen model; models that several recipes in it contain, once."""
    loaded: dict[Place, Separator] = {}

    def at(place: Place) -> Separator:
        if place not in loaded:
            recipe = recipe_at(place, store)
            if recipe is None:
                loaded[place] = _load_plain(place, options, store, on_fetch)
            else:
                from mashup_worker.models.recipes.separator import RecipeSeparator

                models = {model: at(member_at(model, place, store)) for model in recipe.models}
                made = RecipeSeparator(place.name, recipe, models)
                made.weights_sha256 = _digest(place, store)
                loaded[place] = made
        return loaded[place]

    return at(Place(choice.name, choice.repository))


def _load_plain(
    place: Place, options: EngineOptions, store: WeightStore, on_fetch: OnBytes | None
) -> Separator:
    """Load a model that is no recipe."""
    name, repository = place.name, place.repository
    if name == LITE and repository is None:
        from mashup_worker.models.device import resolve_device
        from mashup_worker.models.lite.separator import load_lite

        return load_lite(str(resolve_device(options.device)), options.precision)
    from mashup_worker.models.checkpoints.repository import load_bag
    from mashup_worker.models.engine import NetworkSeparator

    folder = repository or store.ensure(name, on_fetch)
    try:
        bag = load_bag(name, folder)
    except ModelUnavailable as error:
        if repository is not None:
            raise
        raise ModelUnavailable(f"{error.message}; run `mashup models pull {name}`") from error
    separator = NetworkSeparator(name, bag, options)
    separator.license = license_at(place, store)
    separator.weights_sha256 = _digest(place, store)
    return separator


def _digest(place: Place, store: WeightStore) -> str | None:
    """Return the digest of a model of the cache; see `Separator.weights_sha256`."""
    return None if place.repository is not None else store.weights_sha256(place.name)
