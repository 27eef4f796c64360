"""Networks of full size with random weights.

Speed, memory and numerical agreement do not depend on the trained weights, so these replace weights
that cannot be fetched.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import torch
from demucs.demucs import Demucs
from demucs.htdemucs import HTDemucs

from mashup_worker.models.catalogue import find
from mashup_worker.models.checkpoints.config import parse_config
from mashup_worker.models.checkpoints.msst import read_definition
from mashup_worker.models.checkpoints.networks import build_network
from mashup_worker.models.scnet.convert import build
from mashup_worker.models.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from mashup_worker.models.checkpoints.msst import NetworkDefinition
    from mashup_worker.models.network import SeparationNetwork

SOURCES = ["drums", "bass", "other", "vocals"]

CONFIGURED = ("scnet", "scnet_large")
"""Models of the catalogue that a configuration describes."""


@dataclass(frozen=True, eq=False)
class ConfiguredNetwork:
    """Network of a trainer's configuration, with weights by the names of its authors."""

    definition: NetworkDefinition
    state: Mapping[str, Tensor]

    def build(self) -> SeparationNetwork:
        """Return a network with copies of the weights."""
        return build_network(self.definition, self.state, self.definition.architecture)


def random_configured(name: str) -> ConfiguredNetwork:
    """Return a network with the published shape of a model of `CONFIGURED`."""
    config = parse_config(find(name).definition, name)
    definition = read_definition(config, name)
    weights = _RandomWeights()
    build(weights, definition.parameters, definition.profile)
    return ConfiguredNetwork(definition, weights.state)


class _RandomWeights(Weights):
    """Weights of any name, made when they are taken.

    Attributes:
        state: the weights made so far.
    """

    def __init__(self) -> None:
        self.state: dict[str, Tensor] = {}
        super().__init__(self.state)
        self._generator = torch.Generator().manual_seed(0)

    def take(self, name: str, *shape: int | None) -> Tensor:
        """Return weights that keep the level of a signal; norms do not change it."""
        lengths = [length or 1 for length in shape]
        if len(lengths) == 1:
            self.state[name] = torch.full(lengths, float("norm" in name and "weight" in name))
        else:
            inputs = max(1, torch.Size(lengths[1:]).numel())
            made = torch.randn(lengths, generator=self._generator)
            self.state[name] = made / inputs**0.5
        return super().take(name, *shape)


def random_htdemucs() -> HTDemucs:
    """Return a network with the published shape of htdemucs, 42 million parameters."""
    torch.manual_seed(0)
    network: HTDemucs = HTDemucs(
        SOURCES,
        channels=48,
        bottom_channels=512,
        dconv_mode=3,
        t_layers=5,
        t_heads=8,
        segment=Fraction(39, 5),
    )
    network.eval()
    return network


def small_demucs() -> Demucs:
    """Return a network so small that other memory dominates."""
    torch.manual_seed(0)
    network: Demucs = Demucs(SOURCES, channels=4, depth=4, dconv_comp=2, segment=8)
    network.eval()
    return network


def save_repository(folder: Path, network: Demucs | HTDemucs, name: str = "random") -> None:
    """Save the network in a repository under a name."""
    args, kwargs = cast("Any", network)._init_args_kwargs
    package = {"klass": type(network), "args": args, "kwargs": kwargs}
    torch.save(package | {"state": network.state_dict()}, folder / f"{name}.th")
