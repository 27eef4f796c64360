"""The model that a command uses, as the command line names it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

from mashup_worker.commands.shared.failure import settings_or_fail
from mashup_worker.commands.shared.progress import progress_bar
from mashup_worker.errors import InvalidInput, ModelUnavailable
from mashup_worker.licenses import ALL_LICENSES, KNOWN_TERMS, LicenseRule
from mashup_worker.models.choice import AUTO, PREFERRED, automatic, chosen
from mashup_worker.models.load import LoadedModel, load_model
from mashup_worker.models.recipes.places import Place, recipe_at, weights_sha256

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mashup_worker.models.engine import EngineOptions
    from mashup_worker.models.store import WeightStore
    from mashup_worker.settings import Settings


def license_rule(terms: Sequence[str] | None) -> LicenseRule:
    """Return the rule of `--license`.

    Raises:
        InvalidInput: a term is neither a class nor the license of any model.
    """
    if not terms:
        return ALL_LICENSES
    rule, store = LicenseRule.of(terms), _store()
    there = {part for model in store.models().values() for part in model.license.parts}
    unknown = [term for term in rule.allowed if term not in KNOWN_TERMS | there]
    if unknown:
        raise InvalidInput(
            f"--license {unknown[0]}: no model has this license; use permissive, restricted, "
            f"unknown, or one of {', '.join(sorted(there))}"
        )
    return rule


@dataclass(frozen=True)
class ModelRequest:
    """Model asked for on the command line: a name or `auto`, and a folder that holds it.

    Attributes:
        rule: licenses that are allowed.
    """

    name: str
    repository: Path | None
    options: EngineOptions
    rule: LicenseRule = ALL_LICENSES

    @classmethod
    def of(
        cls,
        model: str,
        repository: Path | None,
        options: EngineOptions,
        rule: LicenseRule = ALL_LICENSES,
    ) -> ModelRequest:
        """Return the request for a model that is named, or given as a path."""
        place = Place.of(model, repository)
        return cls(place.name, place.repository, options, rule)

    def names(self) -> list[str]:
        """Return the models that may be loaded, best first: one, or several for `auto`.

        Raises:
            UnknownModel: the catalogue has no such model.
            ModelNotAllowed: the license of the model is not allowed.
        """
        if self.name == AUTO:
            return [one.name for one in automatic(self.rule, self._store, self.repository)]
        return [chosen(self.name, self.rule, self._store, self.repository).name]

    def known_stems(self) -> tuple[str, ...] | None:
        """Return the model's stems, or None where only loading it can show them.

        Raises:
            UnknownModel: no model has this name.
        """
        if self.repository is not None:
            recipe = recipe_at(Place(self.name, self.repository), self._store)
            return None if recipe is None else recipe.stems
        return self._store.find(PREFERRED if self.name == AUTO else self.name).stems

    @cached_property
    def weights_sha256(self) -> str | None:
        """Digest of checkpoints that the name alone does not identify.

        They are in `repository`, or were added to the cache. Empty if `auto` has to do without
        them; None for the files of the catalogue.

        Raises:
            UnknownModel, ModelUnavailable: as `load_bag`.
        """
        if self.repository is None:
            return None if self.name == AUTO else self._store.weights_sha256(self.name)
        if self.name != AUTO:
            return weights_sha256(Place(self.name, self.repository), self._store)
        try:
            return weights_sha256(Place(PREFERRED, self.repository), self._store)
        except ModelUnavailable:
            return ""

    @cached_property
    def _store(self) -> WeightStore:
        return _store()


def _store() -> WeightStore:
    from mashup_worker.models.store import WeightStore

    return WeightStore(settings_or_fail())


def load_requested(request: ModelRequest, settings: Settings, quiet: bool) -> LoadedModel:
    """Load the model asked for, with a progress bar while its weights are fetched.

    Raises:
        MashupError: as `load_model`.
    """
    from mashup_worker.models.store import WeightStore

    with progress_bar(1, not quiet, f"weights of {request.names()[0]}", "bytes") as bar:
        return load_model(
            request.name,
            request.options,
            WeightStore(settings),
            repository=request.repository,
            on_fetch=partial(bar.begin, None),
            rule=request.rule,
        )
