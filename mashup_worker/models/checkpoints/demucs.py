"""Checkpoints of the `demucs` package: pickles (`.th`) and safetensors that name their class.

Checkpoints are untrusted: pickles are read by torch's restricted unpickler, and only the network
classes below are built.
"""

from __future__ import annotations

import json
import pickle
import warnings
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import torch
from demucs.demucs import Demucs
from demucs.hdemucs import HDemucs
from demucs.hf import load_safetensors_model
from demucs.htdemucs import HTDemucs
from demucs.states import load_model
from safetensors import SafetensorError, safe_open

from mashup_worker.errors import ModelUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

_NETWORKS = (HTDemucs, HDemucs, Demucs)
_NETWORK_NAMES = {f"{network.__module__}.{network.__qualname__}" for network in _NETWORKS}
_QUANTIZED = "it is quantized, which is not supported"

_MALFORMED = (
    AssertionError,
    AttributeError,
    EOFError,
    KeyError,
    OSError,
    RuntimeError,
    SafetensorError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
)
"""Errors that the libraries raise on malformed files."""


def load_network(path: Path) -> nn.Module:
    """Load the network of a checkpoint, on the CPU.

    Raises:
        ModelUnavailable: the file is not a checkpoint of a supported network class.
    """
    try:
        load = _load_safetensors if path.suffix == ".safetensors" else _load_pickle
        return load(path)
    except _MALFORMED as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelUnavailable(f"{path}: not a usable Demucs checkpoint: {reason}") from error


def _load_safetensors(path: Path) -> nn.Module:
    with safe_open(str(path), framework="pt") as file:
        metadata = file.metadata() or {}
    if metadata.get("klass") not in _NETWORK_NAMES:
        raise ValueError(f"it names the class {metadata.get('klass')!r}, not a Demucs network")
    structure = json.loads(metadata.get("structure", "{}"), object_hook=_refuse_classes)
    if "__quantized" in json.dumps(structure):
        raise ValueError(_QUANTIZED)
    with _without_load_warnings():
        network: nn.Module = load_safetensors_model(path)
    return network


def _refuse_classes(node: dict[str, Any]) -> dict[str, Any]:
    """Refuse a state that names a class, which `demucs` would import."""
    if "_class" in node:
        raise ValueError(f"its state names the class {node['_class']!r}")
    return node


def _load_pickle(path: Path) -> nn.Module:
    with torch.serialization.safe_globals([*_NETWORKS, Fraction]):
        package = torch.load(path, map_location="cpu", weights_only=True)
    if package["klass"] not in _NETWORKS:
        raise ValueError("it names a class that is not a Demucs network")
    if package["state"].get("__quantized"):
        raise ValueError(_QUANTIZED)
    with _without_load_warnings():
        network: nn.Module = load_model(package)  # type: ignore[no-untyped-call]
    return network


def _without_load_warnings() -> warnings.catch_warnings[None]:
    """Ignore warnings of old checkpoints about arguments that networks no longer take."""
    return warnings.catch_warnings(action="ignore", category=UserWarning)
