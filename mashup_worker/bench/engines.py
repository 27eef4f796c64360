"""Engines that separate on the same weights: this project's and stock `demucs`."""

from __future__ import annotations

import copy
import importlib.metadata
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
from demucs.apply import BagOfModels, apply_model

from mashup_worker import __version__
from mashup_worker.audio.signal import Audio
from mashup_worker.bench.networks import (
    CONFIGURED,
    ConfiguredNetwork,
    random_configured,
    random_htdemucs,
)
from mashup_worker.errors import EngineUnavailable, InvalidInput
from mashup_worker.models.bag import Bag
from mashup_worker.models.checkpoints.repository import load_original
from mashup_worker.models.choice import LITE, PREFERRED
from mashup_worker.models.engine import NetworkSeparator
from mashup_worker.models.fp32 import fp32
from mashup_worker.models.graphs import reset_compiler
from mashup_worker.models.load import load_model
from mashup_worker.models.recipes.places import Place, recipe_at
from mashup_worker.models.streams import upload

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import Tensor, nn

    from mashup_worker.models.engine import EngineOptions
    from mashup_worker.models.separator import Separator
    from mashup_worker.models.store import WeightStore

OURS = "mashup-worker"
RANDOM = "random"
"""Name of the model with the shape of htdemucs and random weights; `random:` is before others."""


class Engine(Protocol):
    """Engine to measure.

    Attributes:
        label: name and version.
        precision: arithmetic of its networks.
        batch: segments per batch; None where the engine chooses.
    """

    label: str
    precision: str
    batch: int | None

    @property
    def compiled(self) -> bool:
        """Whether the core that ran was compiled by torch."""
        ...

    def separate(self, mix: Audio) -> tuple[Tensor, ...]:
        """Separate a song in host memory; every engine uploads and downloads by its own means.

        Returns:
            The stems in host memory in fp32, each of shape `(channels, samples)`.
        """
        ...


@dataclass(frozen=True)
class OtherModel:
    """Model that only this package runs: a recipe, or `lite`."""

    place: Place
    store: WeightStore

    def load(self, options: EngineOptions) -> Separator:
        """Return the model on its device. Raises as `load_model`."""
        place = self.place
        return load_model(place.name, options, self.store, repository=place.repository).separator


@dataclass(frozen=True, eq=False)
class Weights:
    """Networks to measure with.

    Attributes:
        model: model of their shape.
        bag: networks on the CPU, which engines copy, because they modify them; or a model that only
            this package runs.
        random: whether the weights are random.
    """

    model: str
    bag: BagOfModels | ConfiguredNetwork | OtherModel
    random: bool

    def copied(self) -> BagOfModels:
        """Return a copy of the Demucs networks.

        Raises:
            EngineUnavailable: they are of another architecture.
        """
        if isinstance(self.bag, OtherModel):
            raise EngineUnavailable(f"it does not run {self.model}")
        if isinstance(self.bag, ConfiguredNetwork):
            raise EngineUnavailable(f"it runs no {self.bag.definition.architecture}")
        return copy.deepcopy(self.bag)

    @property
    def networks(self) -> list[nn.Module]:
        """Networks whose operations are counted; empty for models of other kinds."""
        if isinstance(self.bag, OtherModel):
            return []
        if isinstance(self.bag, ConfiguredNetwork):
            return [self.bag.build()]
        return [*self.bag.models]

    def separator(self, options: EngineOptions) -> Separator:
        """Return a separator of this package with copies of the networks."""
        if isinstance(self.bag, OtherModel):
            return self.bag.load(options)
        if isinstance(self.bag, ConfiguredNetwork):
            return NetworkSeparator(self.model, Bag.of(self.bag.build()), options)
        return NetworkSeparator(self.model, Bag.of_demucs(self.copied()), options)


def load_weights(name: str, store: WeightStore, repository: Path | None) -> Weights:
    """Return the networks to measure with.

    Args:
        name: a model; `random` for random weights of htdemucs, and `random:scnet` for those of
            another model; `auto` for htdemucs if its weights are cached, and random weights
            otherwise, without fetching.
        store: cache of weights.
        repository: folder of checkpoints that holds the model.

    Raises:
        UnknownModel, ModelUnavailable: as `load_original` and `WeightStore.ensure`.
        InvalidInput: the name does not stand for one model.
    """
    if repository is not None and name in ("auto", RANDOM):
        raise InvalidInput("--model-repo needs --model, the name of the model in it")
    if name == RANDOM or (name == "auto" and not store.has(PREFERRED)):
        return Weights(PREFERRED, BagOfModels([random_htdemucs()]), random=True)
    shape = name.removeprefix(f"{RANDOM}:")
    if shape != name:
        if shape not in CONFIGURED:
            raise InvalidInput(f"{name}: use {RANDOM}:{f', {RANDOM}:'.join(CONFIGURED)}")
        return Weights(shape, random_configured(shape), random=True)
    place = Place.of(PREFERRED if name == "auto" else name, repository)
    if place == Place(LITE) or recipe_at(place, store) is not None:
        return Weights(place.name, OtherModel(place, store), random=False)
    made = load_original(place.name, place.repository or store.ensure(place.name))
    bag = ConfiguredNetwork(*made) if isinstance(made, tuple) else made
    return Weights(place.name, bag, random=False)


class OurEngine:
    """Engine of this package."""

    def __init__(self, weights: Weights, options: EngineOptions) -> None:
        """Load and prepare the engine. Raises as `NetworkSeparator`."""
        if options.compile:
            reset_compiler()  # earlier engines count towards the shapes that torch compiles
        self.label = f"{OURS} {__version__}"
        self.separator = weights.separator(options)
        if self.separator.device.startswith("cuda"):
            self.separator.warm_up()  # as workers do: song threads would search algorithms again
        self.precision = str(self.separator.precision)
        self.batch = options.batch

    @property
    def compiled(self) -> bool:
        """See `Engine`."""
        return bool(getattr(self.separator, "is_compiled", False))

    def separate(self, mix: Audio) -> tuple[Tensor, ...]:
        """See `Engine`.

        On CUDA the song is uploaded once and the stems are downloaded once, both through pinned
        memory, as `pipelines.separation.separate` does it.
        """
        device = torch.device(self.separator.device)
        if device.type != "cuda":
            return torch.cat([*self.separator.stream(mix)], dim=-1).unbind()
        song = Audio(upload(mix.samples, device), mix.sample_rate)
        shape = len(self.separator.stems), self.separator.channels, mix.length_samples
        stems, done = torch.empty(shape, device=device), 0
        for block in self.separator.stream(song, on_device=True):
            stems[..., done : done + block.shape[-1]] = block
            done += block.shape[-1]
        host = torch.empty(shape, pin_memory=True).copy_(stems, non_blocking=True)
        torch.cuda.current_stream(device).synchronize()
        return host.unbind()


@contextmanager
def settings_of_torch() -> Iterator[None]:
    """Run another package's code with the defaults of torch, and restore the settings."""
    searches = torch.backends.cudnn.benchmark
    try:
        with fp32("torch"):
            yield
    finally:
        torch.backends.cudnn.benchmark = searches


class StockEngine:
    """`demucs.apply.apply_model`, called as by `demucs.api`, without random shifts.

    It runs one segment at a time in the default arithmetic of torch.
    """

    precision = "fp32"
    batch: int | None = 1
    compiled = False

    def __init__(self, weights: Weights, device: torch.device, overlap: float = 0.25) -> None:
        self.label = f"demucs {importlib.metadata.version('demucs')}"
        self._bag: Any = weights.copied()
        self._apply: Any = apply_model
        self._device, self._overlap = device, overlap

    def separate(self, mix: Audio) -> tuple[Tensor, ...]:
        """See `Engine`."""
        loudness = mix.samples.mean(0)
        mean, deviation = loudness.mean(), loudness.std() + 1e-8
        with settings_of_torch():
            made: Tensor = self._apply(
                self._bag,
                ((mix.samples - mean) / deviation)[None],
                shifts=0,
                split=True,
                overlap=self._overlap,
                device=self._device,
            )[0]
        return (made * deviation + mean).unbind()  # apply_model sums the stems in host memory
