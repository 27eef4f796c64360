"""Places of models: a folder or the cache, and the models that a recipe there is made of.

A recipe is `<name>.yaml` in a folder of checkpoints, or was added to the cache. It names models of
its own folder, of the catalogue or of the cache. One in a folder may also name paths, from there.
"""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mashup_worker.errors import ModelUnavailable, UnknownModel
from mashup_worker.licenses import NO_STATEMENT, combined
from mashup_worker.models.checkpoints.config import read_config
from mashup_worker.models.digests import check_sha256, expected_digests
from mashup_worker.models.recipes.recipe import is_recipe
from mashup_worker.system.digests import file_sha256, joined_sha256

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mashup_worker.licenses import License
    from mashup_worker.models.recipes.recipe import Recipe
    from mashup_worker.models.store import WeightStore

_YAML = (".yaml", ".yml")


@dataclass(frozen=True)
class Place:
    """A model by its name in a folder of checkpoints, or in the catalogue or cache.

    Attributes:
        repository: the folder; None for catalogue and cache.
    """

    name: str
    repository: Path | None = None

    @classmethod
    def of(cls, name: str, repository: Path | None = None, folder: Path = Path()) -> Place:
        """Return the place of a model that is named, or given as a path from `folder`.

        A path is `<folder>/<model>`, or a YAML file.
        """
        if repository is None and is_path(name):
            path = folder / name
            return cls(path.stem if path.suffix in _YAML else path.name, path.parent)
        return cls(name, repository)

    def __str__(self) -> str:
        return self.name if self.repository is None else str(self.repository / self.name)


def is_path(name: str) -> bool:
    """Return whether a model is given as a path."""
    return "/" in name or Path(name).suffix in _YAML


def recipe_at(place: Place, store: WeightStore) -> Recipe | None:
    """Return the recipe at a place; None for another model.

    Raises:
        ModelUnavailable: the recipe is damaged or invalid.
    """
    if place.repository is None:
        model = store.models().get(place.name)
        return None if model is None else model.recipe
    path = place.repository / f"{place.name}.yaml"
    if not path.is_file():
        return None
    definition = read_config(path)
    if not is_recipe(definition):
        return None
    recorded = expected_digests(path.parent).get(path.name)
    if recorded is not None:
        check_sha256(path, recorded)
    from mashup_worker.models.recipes.document import read_recipe  # imports pydantic

    return read_recipe(definition, str(path))


def member_at(model: str, place: Place, store: WeightStore) -> Place:
    """Return the place of a model that the recipe at `place` names.

    Raises:
        UnknownModel: no model has this name; the message names the recipe too.
        ModelUnavailable: a recipe of the cache names a path.
    """
    folder = place.repository
    if is_path(model):
        if folder is None:
            raise ModelUnavailable(f"{place}: {model}: a path; recipes of the cache have names")
        return Place.of(model, folder=folder)
    if folder is not None and _holds(folder, model):
        return Place(model, folder)
    try:
        store.find(model)
    except UnknownModel as error:
        raise UnknownModel(f"{place}: {error.message}") from error
    return Place(model)


def leaves(place: Place, store: WeightStore, above: tuple[Place, ...] = ()) -> Iterator[Place]:
    """Yield the models that a model is made of, which are no recipes; of another model, itself.

    Raises:
        UnknownModel: a recipe names a model that does not exist.
        ModelUnavailable: a recipe is damaged, or contains itself.
    """
    if place in above:
        chain = " → ".join(one.name for one in (*above[above.index(place) :], place))
        raise ModelUnavailable(f"{above[0]}: a recipe contains itself: {chain}")
    recipe = recipe_at(place, store)
    if recipe is None:
        yield place
        return
    for model in recipe.models:
        yield from leaves(member_at(model, place, store), store, (*above, place))


def license_at(place: Place, store: WeightStore) -> License:
    """Return the license of a model, combined from all parts; a folder states none.

    Raises:
        UnknownModel, ModelUnavailable: as `leaves`.
    """
    return combined(
        NO_STATEMENT if leaf.repository is not None else store.find(leaf.name).license
        for leaf in leaves(place, store)
    )


def weights_sha256(place: Place, store: WeightStore) -> str | None:
    """Return a digest of the files of a model; None for one of the catalogue.

    Raises:
        UnknownModel, ModelUnavailable: a file is missing or damaged.
    """
    recipe = recipe_at(place, store)
    if recipe is None and place.repository is None:
        return store.weights_sha256(place.name)
    if recipe is None:
        from mashup_worker.models.checkpoints import repository  # imports demucs

        return repository.weights_sha256(place.name, place.repository or store.path(place.name))
    digests = {
        model: weights_sha256(member_at(model, place, store), store) for model in recipe.models
    }
    parts = {model: digest or "published" for model, digest in digests.items()}
    if place.repository is None and store.has_built_in(place.name):
        return joined_sha256(parts) if any(digests.values()) else None
    folder = place.repository or store.path(place.name)
    return joined_sha256(
        {**parts, "": file_sha256(folder / f"{place.name}.yaml", ModelUnavailable)}
    )


def _holds(folder: Path, name: str) -> bool:
    files = (folder / f"{name}{suffix}" for suffix in (".yaml", ".safetensors", ".th"))
    return any(file.is_file() for file in files) or any(folder.glob(f"{glob.escape(name)}-*.th"))
