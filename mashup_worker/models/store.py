"""Cache of weights: fetched once or added by a user, verified, one folder for each model.

The folder of a model is a repository of checkpoints: the definition `<name>.yaml`, a checkpoint for
each network, and the manifest `SHA256SUMS`. For Demucs it is one that `demucs` can read too. An
added checkpoint has its definition inside. The manifest is written last, so its presence means that
the folder is complete. The folder of an added recipe has no checkpoint.

A mirror is a folder or an https address with the same files, at `<mirror>/<name>/<file>` or
`<mirror>/<file>`. A copy of a cache is a mirror. A mirror replaces all other sources.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from mashup_worker.errors import ModelUnavailable, StorageFailed, UnknownModel
from mashup_worker.licenses import NO_STATEMENT, combined
from mashup_worker.models.added import added_model, added_models
from mashup_worker.models.catalogue import catalogue, find
from mashup_worker.models.digests import MANIFEST, check_sha256, expected_digests, manifest_text
from mashup_worker.models.fetch import FetchError
from mashup_worker.models.offers import Offer, take
from mashup_worker.models.recipes.places import Place, weights_sha256
from mashup_worker.system.digests import file_sha256, joined_sha256
from mashup_worker.system.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mashup_worker.models.catalogue import Model
    from mashup_worker.models.offers import OnBytes
    from mashup_worker.settings import Settings


class WeightStore:
    """Cache of weights of the models in a catalogue, the built-in one when None, and of added ones.

    Models that another process adds or removes meanwhile are found and missed at the next call.
    """

    def __init__(self, settings: Settings, models: Mapping[str, Model] | None = None) -> None:
        self._settings = settings
        self._catalogue = catalogue() if models is None else models

    @property
    def folder(self) -> Path:
        """Folder of the cache."""
        return self._settings.model_cache

    def models(self) -> dict[str, Model]:
        """Return the models of the catalogue, then the added ones, by name."""
        there = {**added_models(self.folder), **self._catalogue}
        names = dict.fromkeys((*self._catalogue, *there))
        return {name: _completed(there[name], there) for name in names}

    def find(self, name: str) -> Model:
        """Return a model of the catalogue or an added one.

        Raises:
            UnknownModel: neither has this name; the message lists the names.
        """
        if name in self._catalogue:
            return self._catalogue[name]
        return find(name, self.models())

    def is_there(self, name: str) -> bool:
        """Return whether the model can be loaded without fetching its weights."""
        return self.find(name).bundled or self.has(name)

    def names(self) -> list[str]:
        """Return the models that the cache can hold."""
        return [name for name, model in self.models().items() if not model.bundled]

    def has(self, name: str) -> bool:
        """Return whether all files of the model are in the cache, without verifying them."""
        return (self.has_built_in(name) or self._has_files(name)) and all(
            self._is_part_there(part) for part in self._parts(name)
        )

    def has_built_in(self, name: str) -> bool:
        """Return whether this is a recipe of the catalogue, which has no files of its own."""
        return name in self._catalogue and self._catalogue[name].recipe is not None

    def _has_files(self, name: str) -> bool:
        folder = self._settings.model_cache / name
        try:
            digests = expected_digests(folder)
        except ModelUnavailable:
            return False
        return bool(digests) and all((folder / file).is_file() for file in digests)

    def _parts(self, name: str) -> tuple[str, ...]:
        """Return the models that a recipe names; none for other models."""
        model = self._catalogue.get(name) or added_model(self.folder / name)
        return () if model is None or model.recipe is None else model.recipe.models

    def _is_part_there(self, name: str) -> bool:
        try:
            return self.is_there(name)
        except UnknownModel:
            return False

    def path(self, name: str) -> Path:
        """Return the folder of a cached model.

        Raises:
            ModelUnavailable: the model is not in the cache, or is a recipe of the catalogue.
        """
        self._model(name)
        if self.has_built_in(name):
            parts = ", ".join(self._parts(name))
            raise ModelUnavailable(f"{name}: a recipe without a folder; its models are {parts}")
        if not self.has(name):
            cache = self._settings.model_cache
            raise ModelUnavailable(f"{name}: not in {cache}; run `mashup models pull {name}`")
        return self._settings.model_cache / name

    def ensure(self, name: str, on_progress: OnBytes | None = None) -> Path:
        """Return the folder of a model, fetched if it is missing. Raises as `pull`."""
        return self.path(name) if self.has(name) else self.pull(name, on_progress)

    def verify(self, name: str) -> dict[str, str]:
        """Compare every file of the model with its SHA-256; return the digests by file name.

        Of a recipe of the catalogue, the files of its models are compared.

        Raises:
            ModelUnavailable: the model is not in the cache, or a digest differs.
        """
        if self.has_built_in(name):
            for part in self._parts(name):
                if not self.find(part).bundled:
                    self.verify(part)
            return {}
        folder = self.path(name)
        known = {
            file.name: file.sha256 for source in self._model(name).sources for file in source.files
        }
        digests = {
            file: known.get(file, sha256) for file, sha256 in expected_digests(folder).items()
        }
        for file, sha256 in digests.items():
            check_sha256(folder / file, sha256)
        return digests

    def pull(self, name: str, on_progress: OnBytes | None = None) -> Path:
        """Fetch and verify a model, and return its folder.

        Files already in the cache are verified and kept. An exception raised in `on_progress`
        cancels; complete files stay.

        Raises:
            ModelUnavailable: no source has it; the message gives reasons and a remedy.
            StorageFailed: the cache is not writable.
        """
        model = self._model(name)
        folder = self._settings.model_cache / name
        if model.recipe is not None:
            missing = [part for part in model.recipe.models if not self.is_there(part)]
            for part in sorted(missing, key=lambda part: bool(self.find(part).sources)):
                self.pull(part, on_progress)  # first those that raise, since a person fetches them
            return self.folder if self.has_built_in(name) else folder
        if self._intact(name):
            return folder
        if not model.sources:
            raise ModelUnavailable(f"{name}: {_by_hand(model)}")
        with self.locked(name):
            if not self._intact(name):
                self._pull(model, folder, on_progress)
        return folder

    def remove(self, name: str) -> None:
        """Remove a model from the cache.

        Raises:
            ModelUnavailable: the model is not in the cache.
            StorageFailed: a file cannot be removed.
        """
        self._model(name)
        folder = self._settings.model_cache / name
        with self.locked(name):
            if not folder.is_dir():
                raise ModelUnavailable(f"{name}: not in {self._settings.model_cache}")
            (folder / MANIFEST).unlink(missing_ok=True)  # from here on the folder is incomplete
            shutil.rmtree(folder)

    def weights_sha256(self, name: str) -> str | None:
        """Return a digest of the files of a model in the cache.

        None for a model that is not there, or that its name identifies, since the digests of its
        files are published.

        Raises:
            UnknownModel: no model has this name.
        """
        model = self.find(name)
        if model.bundled or model.sources or not self.has(name):
            return None
        if model.recipe is not None:
            return weights_sha256(Place(name), self)
        return joined_sha256(expected_digests(self.path(name)))

    @contextlib.contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Exclude other processes from the folder of a model.

        Raises:
            StorageFailed: the cache is not writable; also for an OSError that the block raises.
        """
        folder = self._settings.model_cache / name
        try:
            with _lock(self._settings.model_cache / f".{name}.lock"):
                for partial in folder.glob(".*.part"):  # of a process that was killed
                    partial.unlink()
                yield
        except OSError as error:
            raise StorageFailed(f"{folder}: {error.strerror or error}") from error

    def complete(self, name: str, digests: Mapping[str, str], definition: str = "") -> None:
        """Write the definition, if any, and the manifest of a model whose files are there."""
        folder, all_digests = self._settings.model_cache / name, dict(digests)
        if definition:
            path = folder / f"{name}.yaml"
            write_atomically(path, definition.encode())
            all_digests[path.name] = file_sha256(path)
        write_atomically(folder / MANIFEST, manifest_text(all_digests).encode())

    def _model(self, name: str) -> Model:
        model = self.find(name)
        if model.bundled:
            raise ModelUnavailable(f"{name}: its weights are part of a package, not of the cache")
        return model

    def _intact(self, name: str) -> bool:
        try:
            self.verify(name)
        except ModelUnavailable:
            return False
        return True

    def _pull(self, model: Model, folder: Path, on_progress: OnBytes | None) -> None:
        failures = []
        for offer in self._offers(model):
            try:
                digests = take(offer, folder, on_progress)
            except FetchError as error:
                failures.append(f"{offer.label}: {error}")
                continue
            self.complete(model.name, digests, model.definition)
            return
        raise ModelUnavailable(f"{model.name}: {self._why(failures)}")

    def _offers(self, model: Model) -> Iterator[Offer]:
        """Yield the sources that the settings allow, best first."""
        mirror = self._settings.model_mirror
        if self._settings.offline and (mirror is None or "://" in mirror):
            return
        for source in model.sources:
            if mirror is None:
                label, root, prefixes = source.label, source.address, [""]
            else:
                label, root, prefixes = "mirror", mirror, [f"{model.name}/", ""]
            files = tuple(
                (file, tuple(_below(root, prefix + file.name) for prefix in prefixes))
                for file in source.files
            )
            yield Offer(label, files)

    def _why(self, failures: list[str]) -> str:
        settings = self._settings
        if settings.offline and not failures:
            return (
                "not in the cache, and MASHUP_OFFLINE forbids the network; unset it, or set "
                "MASHUP_MODEL_MIRROR to a folder that has the files"
            )
        if settings.model_mirror is not None:
            remedy = "put the files into the mirror, or unset MASHUP_MODEL_MIRROR"
        else:
            remedy = (
                "connect to the network, or set MASHUP_MODEL_MIRROR to a folder or https address "
                "that has the files"
            )
        return f"no source has the weights ({'; '.join(failures)}); {remedy}"


def _completed(model: Model, there: Mapping[str, Model]) -> Model:
    """Return a recipe's model with the license and the size of its parts; others as they are."""
    if model.recipe is None:
        return model
    parts, todo = {}, [*model.recipe.models]
    while todo:
        part = there.get(name := todo.pop(0))
        if name not in parts:
            parts[name] = part
            todo += () if part is None or part.recipe is None else part.recipe.models
    plain = [part for part in parts.values() if part is None or part.recipe is None]
    return dataclasses.replace(
        model,
        license=combined(NO_STATEMENT if part is None else part.license for part in plain),
        parameters=sum(part.parameters for part in plain if part is not None),
        size_bytes=sum(part.size_bytes for part in plain if part is not None),
    )


def _by_hand(model: Model) -> str:
    """Return what a person must do to get the weights of a model that has no source."""
    add = f"mashup models add FILE --name {model.name}"
    if not model.by_hand:
        return f"its weights are damaged, and only who added it has them; run `{add}` again"
    return (
        f"its file cannot be fetched without a person; download {model.by_hand} in a browser, and "
        f"run `{add}`"
    )


def _below(root: str, path: str) -> str | Path:
    return f"{root.rstrip('/')}/{path}" if "://" in root else Path(root, path).expanduser()


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Exclude other processes from the block; the lock ends with the process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
