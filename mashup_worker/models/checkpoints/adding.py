"""Add a checkpoint that a user has to the cache of weights.

The checkpoint is read, checked, run once, and written as safetensors that describe themselves:
their header has the configuration, the stems, the license as stated, and the SHA-256 of the
original. A file with a published digest is copied as it is.
"""

from __future__ import annotations

import datetime
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from mashup_worker.errors import InvalidInput, ModelUnavailable, StorageFailed
from mashup_worker.licenses import license_as_stated
from mashup_worker.models.added import Origin, header_of
from mashup_worker.models.checkpoints.config import parse_config, read_config
from mashup_worker.models.checkpoints.networks import read_configured, read_self_described
from mashup_worker.models.choice import AUTO
from mashup_worker.models.digests import SHOWN_DIGITS
from mashup_worker.models.recipes.document import read_recipe
from mashup_worker.models.recipes.places import Place, is_path, leaves, member_at
from mashup_worker.models.recipes.recipe import is_recipe
from mashup_worker.models.stem_names import check_stems
from mashup_worker.system.digests import file_sha256
from mashup_worker.system.files import atomic_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from mashup_worker.models.catalogue import Model
    from mashup_worker.models.checkpoints.networks import Checkpoint
    from mashup_worker.models.network import SeparationNetwork
    from mashup_worker.models.store import WeightStore

_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,63}", re.ASCII)
_SHOWN_CHARACTERS = 80


@dataclass(frozen=True, kw_only=True)
class Addition:
    """Checkpoint to add.

    Attributes:
        file: checkpoint.
        config: its configuration; None for a file that defines its network.
        name: name of the model; that of the file when None.
        license: license of the weights, as the user states it.
        source: address that the file is from.
    """

    file: Path
    config: Path | None = None
    name: str | None = None
    license: str | None = None
    source: str = ""

    @property
    def model_name(self) -> str:
        """Name of the model."""
        return self.file.stem if self.name is None else self.name


def add_checkpoint(addition: Addition, store: WeightStore) -> Model:
    """Add a checkpoint to the cache, and return its model.

    A name of the catalogue makes the file the weights of that model. The file must have one of its
    published digests, if there are any.

    Raises:
        InvalidInput: the name is invalid or taken, or a value does not belong to this checkpoint.
        ModelUnavailable: the file or its configuration is missing, damaged or not supported.
        StorageFailed: the cache is not writable.
    """
    license_as_stated(addition.license, addition.source)
    if not addition.source.isprintable():
        raise InvalidInput("source: not an address")
    name = addition.model_name
    model = store.models().get(name)
    _check_name(name, model, store)
    if model is not None and (addition.config or addition.license or addition.source):
        raise InvalidInput(
            f"{name}: its configuration and license are in the catalogue; use another --name for "
            "other weights, or leave out --config, --license and --source"
        )
    with store.locked(name):
        if addition.file.suffix in (".yaml", ".yml"):
            _add_recipe(addition, model, store)
        elif model is not None and model.sources:
            _take_published(addition, model, store)
        else:
            _convert(addition, model, store)
    return store.find(name)


def _check_name(name: str, model: Model | None, store: WeightStore) -> None:
    if not _NAME.fullmatch(name) or is_path(name):
        raise InvalidInput(
            f"{name[:_SHOWN_CHARACTERS]}: not a name for a model; use --name with up to 64 "
            "letters, digits, `_`, `.` and `-`, without .yaml or .yml at its end"
        )
    if name == AUTO or store.has_built_in(name) or (model and model.bundled):
        raise InvalidInput(f"{name}: means another model; use another --name")
    if model is not None and store.has(name):
        raise InvalidInput(
            f"{name}: already in the cache; run `mashup models remove {name}`, or use another "
            "--name"
        )


def _add_recipe(addition: Addition, model: Model | None, store: WeightStore) -> None:
    """Keep a recipe whose models have names, and compute its stems."""
    file, name = addition.file, addition.model_name
    if addition.config or addition.license or addition.source or model is not None:
        raise InvalidInput(f"{file}: a recipe has the licenses of its models; give --name only")
    definition = read_config(file)
    if not is_recipe(definition):
        raise InvalidInput(f"{file}: no recipe; give the checkpoint, and this file as --config")
    recipe, place = read_recipe(definition, str(file)), Place(name)
    for step in recipe.steps:
        for member in step.members:
            part = member_at(member.model, place, store)
            list(leaves(part, store))  # raises if a part of it is missing
            stems = store.find(part.name).stems
            lacking = [stem for stem, weight in member.weights.items() if weight]
            lacking = [stem for stem in lacking if stem not in stems]
            if lacking:
                raise ModelUnavailable(
                    f"{file}: {member.model} makes no stem {lacking[0]!r}: it makes "
                    f"{', '.join(stems)}"
                )
    store.complete(name, {}, file.read_text(encoding="utf-8"))


def _take_published(addition: Addition, model: Model, store: WeightStore) -> None:
    """Copy one of the files of a model whose digests are published."""
    sha256 = file_sha256(addition.file, ModelUnavailable)
    digests = [{file.name: file.sha256 for file in source.files} for source in model.sources]
    names = next((one for one in digests if sha256 in one.values()), None)
    if names is None:
        raise ModelUnavailable(
            f"{addition.file}: SHA-256 {sha256[:SHOWN_DIGITS]}… is of no file of {model.name}; use "
            "another --name for other weights"
        )
    folder = store.folder / model.name
    file = next(name for name, known in names.items() if known == sha256)
    with atomic_path(folder / file) as temporary:
        shutil.copyfile(addition.file, temporary)
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise ModelUnavailable(f"{model.name}: {file} is there; add {', '.join(missing)} too")
    store.complete(model.name, names, model.definition)


def _convert(addition: Addition, model: Model | None, store: WeightStore) -> None:
    """Write the checkpoint of a model as safetensors that define their network."""
    found, name = _read(addition, model), addition.model_name
    stems = found.network.profile.all_stems
    check_stems(stems, str(addition.file))
    _check_runs(found.network, addition.file)
    origin = Origin(
        file="".join(one if one.isprintable() else "?" for one in addition.file.name),
        sha256=file_sha256(addition.file, ModelUnavailable),
        license=addition.license,
        source=addition.source,
        added_on=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )
    parameters = sum(one.numel() for one in found.state.values() if one.is_floating_point())
    header = {**found.header, **header_of(origin, stems, parameters)}
    target = store.folder / name / f"{name}.safetensors"
    with atomic_path(target) as temporary:
        try:
            temporary.touch()
            mode = temporary.stat().st_mode
            save_file(_independent(found.state), temporary, header)
            temporary.chmod(mode)  # safetensors are written for their owner only
        except (OSError, SafetensorError) as error:
            raise StorageFailed(f"{target}: cannot be written: {error}") from error
    digests = {target.name: file_sha256(target)}
    store.complete(name, digests, "" if model is None else model.definition)


def _independent(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights with a copy of each that shares memory, which safetensors cannot hold."""
    seen, independent = set[int](), {}
    for name, one in state.items():
        memory = one.untyped_storage()
        is_alone = memory.data_ptr() not in seen and memory.nbytes() == one.nbytes
        seen.add(memory.data_ptr())
        independent[name] = one if is_alone and one.is_contiguous() else one.contiguous().clone()
    return independent


def _read(addition: Addition, model: Model | None) -> Checkpoint:
    if model is not None:
        config = parse_config(model.definition, model.name)
        return read_configured(addition.file, config, model.name)
    if addition.config is not None:
        config = read_config(addition.config)
        return read_configured(addition.file, config, str(addition.config))
    return read_self_described(addition.file)


def _check_runs(network: SeparationNetwork, file: Path) -> None:
    """Run a window of noise: some faults of a configuration leave all shapes as they are."""
    profile = network.profile
    length = profile.window_length(profile.segment_samples)
    noise = 0.1 * torch.randn(1, profile.channels, length)
    try:
        with torch.inference_mode():
            made = network(noise)
    except (RuntimeError, ValueError, IndexError, AssertionError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelUnavailable(f"{file}: does not run as configured: {reason}") from error
    if made.shape[:3] != (1, len(profile.stems), profile.channels) or not made.isfinite().all():
        raise ModelUnavailable(f"{file}: its result is not finite sound for each stem")
