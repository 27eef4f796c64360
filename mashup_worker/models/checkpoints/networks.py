"""Read a network with its weights from a checkpoint, with or without a configuration."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mashup_worker.errors import ModelUnavailable
from mashup_worker.models.added import CONFIG, read_header
from mashup_worker.models.checkpoints import demucs
from mashup_worker.models.checkpoints.msst import (
    demucs_options,
    essentials,
    is_config,
    read_definition,
)
from mashup_worker.models.checkpoints.states import read_state
from mashup_worker.models.htdemucs.convert import converted
from mashup_worker.models.roformer.convert import convert as roformer
from mashup_worker.models.scnet.convert import convert as scnet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from mashup_worker.models.checkpoints.msst import NetworkDefinition
    from mashup_worker.models.network import SeparationNetwork

_SIGN_OF_MASKED_SCNET = "pos_embed_f"
"""Weight that only the masked variant has; its configuration need not name it."""


@dataclass(frozen=True)
class Checkpoint:
    """Network on the CPU, with what a file of its own needs.

    Attributes:
        state: weights by the names of the network's authors, float32.
        header: entries by which a safetensors file of `state` defines the network.
    """

    network: SeparationNetwork
    state: Mapping[str, Tensor]
    header: Mapping[str, str]


def read_configured(path: Path, config: Mapping[str, Any], where: str) -> Checkpoint:
    """Read a checkpoint with the configuration of its trainer; `where` names that in messages.

    Raises:
        ModelUnavailable: the configuration or the file is damaged or not supported, or a weight is
            missing, is not expected, or has another shape; the message names the first one.
    """
    options = demucs_options(config, where)
    if options is not None:
        return _of_demucs(demucs.build_network(*options, read_state(path), str(path)))
    definition = read_definition(config, where)
    state = read_state(path)
    masked = definition.architecture == "scnet" and _SIGN_OF_MASKED_SCNET in state
    header = {
        "architecture": "scnet_masked" if masked else definition.architecture,
        CONFIG: json.dumps(essentials(config), default=str),
    }
    return Checkpoint(build_network(definition, state, str(path)), state, header)


def read_self_described(path: Path) -> Checkpoint:
    """Read a checkpoint of Demucs, or one that was added to a cache.

    Raises:
        ModelUnavailable: the file does not define its network, or is damaged or not supported.
    """
    config = config_in(path)
    if config is not None:
        return read_configured(path, config, str(path))
    return _of_demucs(demucs.load_network(path))


def config_in(path: Path) -> dict[str, Any] | None:
    """Return the configuration in the header of an added checkpoint; None without one.

    Raises:
        ModelUnavailable: the configuration is damaged.
    """
    try:
        header = read_header(path) if path.suffix == ".safetensors" else {}
    except (OSError, ValueError):
        return None  # the reader of its weights says what is wrong
    if CONFIG not in header:
        return None
    try:
        config = json.loads(header[CONFIG])
    except (TypeError, ValueError, RecursionError):
        config = None
    if not isinstance(config, dict) or not is_config(config):
        raise ModelUnavailable(f"{path}: its configuration is damaged")
    return config


def build_network(
    definition: NetworkDefinition, state: Mapping[str, Tensor], where: str
) -> SeparationNetwork:
    """Return the network with these weights; `where` names them in messages.

    Raises:
        ModelUnavailable: a weight is missing, is not expected, or has another shape.
    """
    convert = scnet if definition.architecture.startswith("scnet") else roformer
    try:
        network: SeparationNetwork = convert(state, definition.parameters, definition.profile)
    except ModelUnavailable as error:
        raise ModelUnavailable(f"{where}: {error.message}") from error
    return network


def _of_demucs(network: Any) -> Checkpoint:
    return Checkpoint(converted(network), network.state_dict(), demucs.header_of(network))
