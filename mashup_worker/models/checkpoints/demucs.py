"""Checkpoints of the `demucs` package: pickles (`.th`) and safetensors that name their class.

Checkpoints are untrusted: pickles are read by torch's restricted unpickler, and only the network
classes below are built.
"""

from __future__ import annotations

import inspect
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
from mashup_worker.models.checkpoints.states import check_shapes
from mashup_worker.models.checkpoints.unpickling import unpickle

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor, nn

_NETWORKS = (HTDemucs, HDemucs, Demucs)
_NETWORK_NAMES = {f"{network.__module__}.{network.__qualname__}" for network in _NETWORKS}
_UNDEFINED = "does not define its network; it needs the configuration of its trainer"
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


def build_network(
    name: str, options: Mapping[str, Any], state: Mapping[str, Tensor], where: str
) -> nn.Module:
    """Return the network of a class by its lower-case name, with the weights in `state`.

    Raises:
        ModelUnavailable: an option is invalid, or a weight is missing, is not expected, or has
            another shape; the message names the first one.
    """
    network_class: Any = {one.__name__.lower(): one for one in _NETWORKS}[name]
    known = inspect.signature(network_class).parameters
    known_options = {key: value for key, value in options.items() if key in known}
    try:
        with torch.device("meta"):  # no memory: the sizes are untrusted
            sizes = network_class(**known_options).state_dict()
        check_shapes(state, {key: tuple(one.shape) for key, one in sizes.items()}, where)
        network: nn.Module = network_class(**known_options)
        network.load_state_dict(dict(state))
    except _MALFORMED as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelUnavailable(f"{where}: not a usable {name} checkpoint: {reason}") from error
    return network


def header_of(network: Any) -> dict[str, str]:
    """Return the entries of a safetensors header that define a network, as `demucs` reads them."""
    arguments, options = network._init_args_kwargs
    return {
        "klass": f"{type(network).__module__}.{type(network).__qualname__}",
        "args": json.dumps(arguments, default=_encoded),
        "kwargs": json.dumps(options, default=_encoded),
    }


def _encoded(value: object) -> object:
    if isinstance(value, Fraction):
        return {"_type": "fraction", "numerator": value.numerator, "denominator": value.denominator}
    raise TypeError(f"no form in JSON: {type(value).__name__}")


def _load_safetensors(path: Path) -> nn.Module:
    with safe_open(str(path), framework="pt") as file:
        metadata = file.metadata() or {}
    if "klass" not in metadata:
        raise ModelUnavailable(f"{path}: {_UNDEFINED}")
    if metadata["klass"] not in _NETWORK_NAMES:
        raise ValueError(f"it names the class {metadata['klass']!r}, not a Demucs network")
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
    package = unpickle(path, [*_NETWORKS, Fraction])
    if not isinstance(package, dict) or "klass" not in package:
        raise ModelUnavailable(f"{path}: {_UNDEFINED}")
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
