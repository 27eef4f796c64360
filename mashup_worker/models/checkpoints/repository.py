"""Load models from a folder of checkpoints in the layout of `demucs --repo`.

A repository holds checkpoints, `<signature>.safetensors` or `<signature>-<sha256 prefix>.th`, and
bags, `<name>.yaml`, that list signatures with their weights and segment. A model is named by a bag
or a signature. Where the folder has a `SHA256SUMS`, every file must match it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from demucs.apply import BagOfModels

from mashup_worker.errors import ModelUnavailable, UnknownModel
from mashup_worker.models.checkpoints.demucs import load_network
from mashup_worker.models.digests import check_sha256, expected_digests
from mashup_worker.system.digests import file_sha256, joined_sha256

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn


def load_bag(name: str, folder: Path) -> BagOfModels:
    """Load the bag or single network `name` from the repository `folder`, on the CPU.

    Raises:
        UnknownModel: the folder has no such model; the message lists its models.
        ModelUnavailable: the folder is missing, a digest differs, or a file is not a checkpoint of
            a supported network class.
    """
    definition = _checked_definition(name, folder)
    networks: list[Any] = [_load_network(signature, folder) for signature in definition["models"]]
    try:
        bag = BagOfModels(networks, definition.get("weights"), definition.get("segment"))
        if not all(map(sum, zip(*bag.weights, strict=True))):
            raise ValueError("no network has weight for a stem")
    except (AssertionError, TypeError, ValueError) as error:
        raise ModelUnavailable(f"{folder / name}.yaml: its networks do not fit together") from error
    return bag


def model_names(folder: Path) -> list[str]:
    """Return the names of the bags in a repository, then of its single networks."""
    bags = sorted(path.stem for path in folder.glob("*.yaml"))
    return [*bags, *sorted({_signature(path) for path in _checkpoints(folder)})]


def weights_sha256(name: str, folder: Path) -> str:
    """Return a digest of the files that `load_bag` reads for the model.

    Raises:
        UnknownModel, ModelUnavailable: as `load_bag`.
    """
    definition = _checked_definition(name, folder)
    files = [_checkpoint(signature, folder) for signature in definition["models"]]
    if (bag := folder / f"{name}.yaml").is_file():
        files.append(bag)
    return joined_sha256({file.name: file_sha256(file, ModelUnavailable) for file in files})


def _checked_definition(name: str, folder: Path) -> dict[str, Any]:
    """Return the definition of a model that the folder has. Raises as `load_bag`."""
    if not folder.is_dir():
        raise ModelUnavailable(f"{folder}: not a folder of checkpoints")
    if name not in model_names(folder):
        there = ", ".join(model_names(folder)) or "none"
        raise UnknownModel(f"{name}: no such model in {folder}; use one of {there}")
    return _definition(name, folder)


def _definition(name: str, folder: Path) -> dict[str, Any]:
    path = folder / f"{name}.yaml"
    if not path.is_file():
        return {"models": [name]}
    _check_digest(path)
    try:
        definition = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ModelUnavailable(f"{path}: not YAML") from error
    if not (isinstance(definition, dict) and isinstance(definition.get("models"), list)):
        raise ModelUnavailable(f"{path}: does not list the models of a bag")
    return definition


def _load_network(signature: str, folder: Path) -> nn.Module:
    path = _checkpoint(signature, folder)
    _check_digest(path)
    return load_network(path)


def _checkpoint(signature: str, folder: Path) -> Path:
    found = sorted(path for path in _checkpoints(folder) if _signature(path) == str(signature))
    if not found:
        raise ModelUnavailable(f"{folder}: no network {str(signature)!r}")
    return found[0]


def _checkpoints(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix in (".safetensors", ".th")]


def _signature(checkpoint: Path) -> str:
    return checkpoint.stem.partition("-")[0]


def _check_digest(path: Path) -> None:
    """Check `path` against the manifest and against the digest in its own name."""
    recorded = expected_digests(path.parent).get(path.name)
    if recorded is not None:
        check_sha256(path, recorded)
    elif path.suffix == ".th" and "-" in path.stem:
        check_sha256(path, path.stem.rpartition("-")[2])
