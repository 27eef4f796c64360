"""Load models from a folder of checkpoints.

A model in a folder is one of

    <name>.yaml                              a bag of Demucs, as for `demucs --repo`, that lists
                                             signatures with their weights and segment
    <signature>-<sha256 prefix>.th           a network of Demucs
    <signature>.safetensors                  a network of Demucs, or one that was added to a cache
    <name>.yaml with <name>.ckpt             a network in the layout of
                                             Music-Source-Separation-Training; `checkpoint` in the
                                             YAML may name another file

A single network is named by its signature. Where the folder has a `SHA256SUMS`, every file must
match it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demucs.apply import BagOfModels

from mashup_worker.errors import ModelUnavailable, UnknownModel
from mashup_worker.models.bag import Bag
from mashup_worker.models.checkpoints.config import read_config
from mashup_worker.models.checkpoints.demucs import load_network
from mashup_worker.models.checkpoints.msst import is_config, read_definition
from mashup_worker.models.checkpoints.networks import (
    config_in,
    read_configured,
    read_self_described,
)
from mashup_worker.models.checkpoints.states import STATE_SUFFIXES, read_state
from mashup_worker.models.digests import check_sha256, expected_digests
from mashup_worker.models.stem_names import check_stems
from mashup_worker.system.digests import file_sha256, joined_sha256

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from mashup_worker.models.checkpoints.msst import NetworkDefinition

_OWN_DIGEST = re.compile(r"(.+)-([0-9a-f]{8,64})")
"""Stem of a `.th` file of Demucs: the signature, and the first digits of the file's SHA-256."""


def load_bag(name: str, folder: Path) -> Bag:
    """Load the bag or single network `name` from a folder of checkpoints, on the CPU.

    Raises:
        UnknownModel: the folder has no such model; the message lists its models.
        ModelUnavailable: the folder is missing, a digest differs, or a file is not a checkpoint of
            a supported network.
    """
    definition, files = _checked(name, folder)
    if is_config(definition):
        where = str(folder / f"{name}.yaml")
        bag = Bag.of(read_configured(files[0], definition, where).network)
    elif _describes_itself(definition, files):
        bag = Bag.of(read_self_described(files[0]).network)
    else:
        bag = Bag.of_demucs(_bag_of_demucs(name, folder, definition, files))
    check_stems(bag.profile.all_stems, str(folder / name))
    return bag


def load_original(
    name: str, folder: Path
) -> BagOfModels | tuple[NetworkDefinition, Mapping[str, Tensor]]:
    """Load a model as its authors have it, on the CPU, to run it by other packages.

    Returns:
        Networks of the `demucs` package, or the definition of another network and its weights.

    Raises:
        UnknownModel, ModelUnavailable: as `load_bag`; also for Demucs in the form of MSST.
    """
    definition, files = _checked(name, folder)
    config = definition if is_config(definition) else None
    if config is None and _describes_itself(definition, files):
        config = config_in(files[0])
    if config is None:
        return _bag_of_demucs(name, folder, definition, files)
    return read_definition(config, str(folder / name)), read_state(files[0])


def model_names(folder: Path) -> list[str]:
    """Return the names of the definitions in a folder, then of its single networks."""
    defined = sorted(path.stem for path in folder.glob("*.yaml"))
    single = {
        _signature(path)
        for path in folder.iterdir()
        if path.suffix in (".safetensors", ".th") and path.stem not in defined
    }
    return [*defined, *sorted(single)]


def weights_sha256(name: str, folder: Path) -> str:
    """Return a digest of the files that `load_bag` reads for the model.

    Raises:
        UnknownModel, ModelUnavailable: as `load_bag`.
    """
    _, files = _checked(name, folder)
    if (definition := folder / f"{name}.yaml").is_file():
        files = [*files, definition]
    return joined_sha256({file.name: file_sha256(file, ModelUnavailable) for file in files})


def _bag_of_demucs(
    name: str, folder: Path, definition: Mapping[str, Any], files: list[Path]
) -> BagOfModels:
    networks: list[Any] = [load_network(path) for path in files]
    try:
        bag = BagOfModels(networks, definition.get("weights"), definition.get("segment"))
        if not all(map(sum, zip(*bag.weights, strict=True))):
            raise ValueError("no network has weight for a stem")
    except (AssertionError, TypeError, ValueError) as error:
        raise ModelUnavailable(f"{folder / name}.yaml: its networks do not fit together") from error
    return bag


def _checked(name: str, folder: Path) -> tuple[Mapping[str, Any], list[Path]]:
    """Return the definition of a model and its checkpoints, whose digests match.

    Raises:
        UnknownModel, ModelUnavailable: as `load_bag`.
    """
    if not folder.is_dir():
        raise ModelUnavailable(f"{folder}: not a folder of checkpoints")
    names = model_names(folder)
    if name not in names:
        there = ", ".join(names) or "none"
        raise UnknownModel(f"{name}: no such model in {folder}; use one of {there}")
    definition = _definition(name, folder)
    if is_config(definition):
        files = [_checkpoint_of_config(name, definition, folder)]
    else:
        files = [_checkpoint(str(signature), folder) for signature in definition["models"]]
    for path in files:
        _check_digest(path)
    return definition, files


def _describes_itself(definition: Mapping[str, Any], files: list[Path]) -> bool:
    """Return whether the model is one file that has the configuration of its network inside."""
    return len(files) == 1 and set(definition) == {"models"} and config_in(files[0]) is not None


def _definition(name: str, folder: Path) -> Mapping[str, Any]:
    path = folder / f"{name}.yaml"
    if not path.is_file():
        return {"models": [name]}
    _check_digest(path)
    definition = read_config(path)
    if not is_config(definition) and not isinstance(definition.get("models"), list):
        raise ModelUnavailable(
            f"{path}: neither a list of the `models` of a bag nor a configuration with `model`"
        )
    return definition


def _checkpoint(signature: str, folder: Path) -> Path:
    found = sorted(
        path
        for path in folder.iterdir()
        if path.suffix in (".safetensors", ".th") and _signature(path) == signature
    )
    if not found:
        raise ModelUnavailable(f"{folder}: no network {signature!r}")
    return found[0]


def _checkpoint_of_config(name: str, definition: Mapping[str, Any], folder: Path) -> Path:
    stated = definition.get("checkpoint")
    names = [f"{name}{suffix}" for suffix in STATE_SUFFIXES] if stated is None else [str(stated)]
    if any(Path(one).name != one for one in names):
        raise ModelUnavailable(f"{folder / name}.yaml: checkpoint: not the name of a file")
    found = [folder / one for one in names if (folder / one).is_file()]
    if not found:
        raise ModelUnavailable(f"{folder / name}.yaml: no checkpoint beside it: {', '.join(names)}")
    return found[0]


def _signature(checkpoint: Path) -> str:
    named = _OWN_DIGEST.fullmatch(checkpoint.stem) if checkpoint.suffix == ".th" else None
    return named[1] if named else checkpoint.stem


def _check_digest(path: Path) -> None:
    """Check `path` against the manifest, or against the digest in its own name."""
    recorded = expected_digests(path.parent).get(path.name)
    named = _OWN_DIGEST.fullmatch(path.stem) if path.suffix == ".th" else None
    if recorded is not None:
        check_sha256(path, recorded)
    elif named:
        check_sha256(path, named[2])
