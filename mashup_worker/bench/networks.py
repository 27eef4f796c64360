"""Networks of full size with random weights.

Speed, memory and numerical agreement do not depend on the trained weights, so these replace weights
that cannot be fetched.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import torch
from demucs.demucs import Demucs
from demucs.htdemucs import HTDemucs
from safetensors.torch import save_file

from mashup_worker.models.catalogue import find
from mashup_worker.models.checkpoints.config import parse_config
from mashup_worker.models.checkpoints.msst import read_definition
from mashup_worker.models.checkpoints.networks import build_network
from mashup_worker.models.roformer.convert import bands_of, rotary_frequencies
from mashup_worker.models.scnet.convert import build
from mashup_worker.models.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from mashup_worker.models.checkpoints.msst import NetworkDefinition
    from mashup_worker.models.network import SeparationNetwork

SOURCES = ["drums", "bass", "other", "vocals"]

CONFIGURED = ("scnet", "scnet_large", "kim_vocals")
"""Models of the catalogue that a configuration describes."""

_SHALLOW: dict[str, tuple[str, dict[str, Any]]] = {
    "scnet": ("scnet", {"dims": [4, 8, 16, 16], "num_dplayer": 2}),
    "scnet_masked": ("scnet", {"dims": [4, 8, 16, 16], "num_dplayer": 2}),
    "mel_band_roformer": ("kim_vocals", {"dim": 32, "depth": 1, "heads": 2, "dim_head": 16}),
    "bs_roformer": ("kim_vocals", {"dim": 32, "depth": 1, "heads": 2, "dim_head": 16}),
}
"""For each architecture, a model of the catalogue and what makes its network small."""

SHALLOW = tuple(_SHALLOW)
"""Architectures of `save_shallow`."""


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
    return _random_network(parse_config(find(name).definition, name), name)


def _random_network(config: Mapping[str, Any], name: str) -> ConfiguredNetwork:
    definition = read_definition(config, name)
    if "roformer" in definition.architecture:
        return ConfiguredNetwork(definition, _random_roformer(definition.parameters))
    weights = _RandomWeights(masked=definition.architecture == "scnet_masked")
    build(weights, definition.parameters, definition.profile)
    return ConfiguredNetwork(definition, weights.state)


def _random_roformer(parameters: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return weights of a RoFormer with one layer in each transformer."""
    dim, heads = parameters["dim"], parameters["heads"]
    inner, wide = heads * parameters["dim_head"], parameters["mlp_expansion_factor"] * dim
    shapes: dict[str, tuple[int, ...]] = {}
    for place in itertools.product(range(parameters["depth"]), range(2)):
        name = "layers.{}.{}".format(*place)
        attention, feed = f"{name}.layers.0.0", f"{name}.layers.0.1.net"
        shapes |= {f"{one}.gamma": (dim,) for one in (f"{name}.norm", f"{attention}.norm")}
        shapes |= {f"{feed}.0.gamma": (dim,), f"{attention}.to_qkv.weight": (3 * inner, dim)}
        shapes |= {f"{attention}.to_out.0.weight": (dim, inner)}
        shapes |= _linear(f"{attention}.to_gates", heads, dim)
        shapes |= _linear(f"{feed}.1", 4 * dim, dim) | _linear(f"{feed}.4", dim, 4 * dim)
    for index, band in enumerate(bands_of(parameters).frequencies):
        width = 2 * (1 + parameters["stereo"]) * len(band)
        split, mask = f"band_split.to_features.{index}", f"mask_estimators.0.to_freqs.{index}.0"
        shapes |= {f"{split}.0.gamma": (width,)} | _linear(f"{split}.1", dim, width)
        widths = [dim, *[wide] * parameters["mask_estimator_depth"], 2 * width]
        for layer, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
            shapes |= _linear(f"{mask}.{2 * layer}", outputs, inputs)
    weights = _RandomWeights(masked=False)
    for name, shape in shapes.items():
        weights.make(name, shape)
    frequencies = rotary_frequencies(parameters["dim_head"])
    named = {
        name.replace("norm.gamma", "rotary_embed.freqs"): frequencies
        for name in shapes
        if name.endswith(".layers.0.0.norm.gamma")
    }
    return weights.state | named


def _linear(name: str, outputs: int, inputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


class _RandomWeights(Weights):
    """Weights of any name, made when they are taken.

    Attributes:
        state: the weights made so far.
    """

    def __init__(self, *, masked: bool) -> None:
        """Start without weights; `masked` gives the masked variant of SCNet."""
        self.state: dict[str, Tensor] = {}
        self._masked = masked
        super().__init__(self.state)
        self._generator = torch.Generator().manual_seed(0)

    def __contains__(self, name: str) -> bool:
        """Return whether the network has weights of this name."""
        return super().__contains__(name) or (self._masked and name == "pos_embed_f")

    def take(self, name: str, *shape: int | None) -> Tensor:
        """Return weights that keep the level of a signal; norms do not change it."""
        lengths = [length or 1 for length in shape]
        self.make(name, lengths)
        return super().take(name, *shape)

    def make(self, name: str, shape: Sequence[int]) -> None:
        """Make weights of this shape: gains of norms are 1, and biases 0."""
        if len(shape) == 1:
            is_gain = name.endswith(("weight", "gamma"))
            self.state[name] = torch.full(tuple(shape), float(is_gain))
        else:
            inputs = max(1, torch.Size(shape[1:]).numel())
            made = torch.randn(tuple(shape), generator=self._generator)
            self.state[name] = made / inputs**0.5


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


def save_configured(folder: Path, model: str, name: str = "random") -> None:
    """Save random weights of the shape of a model of `CONFIGURED` in a repository under a name."""
    _save(folder, parse_config(find(model).definition, model), name)


def save_shallow(folder: Path, architecture: str, name: str = "random") -> None:
    """Save a network of an architecture with the published segment and transforms, but few layers.

    Other memory than that of its layers dominates.
    """
    model, changes = _SHALLOW[architecture]
    config = parse_config(find(model).definition, model)
    parameters = config["model"] | changes
    config |= {"model_type": architecture, "model": parameters, "inference": {"num_overlap": 2}}
    if architecture == "bs_roformer":
        del parameters["num_bands"], parameters["sample_rate"]
    elif architecture == "scnet_masked":  # only its trainer writes configurations of this variant
        data = config.pop("data")
        samples = data["segment"] * data["samplerate"]
        config["audio"] = {"chunk_size": samples, "sample_rate": data["samplerate"]}
        config["training"] = {"instruments": parameters.pop("sources")}
    _save(folder, config, name)


def _save(folder: Path, config: Mapping[str, Any], name: str) -> None:
    config = {"checkpoint": f"{name}.safetensors", **config}
    (folder / f"{name}.yaml").write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML too
    state = _random_network(config, name).state
    # Weights that layers share are stored by every name: the format knows no shared memory.
    cloned = {name: tensor.clone() for name, tensor in state.items()}
    save_file(cloned, folder / config["checkpoint"])
