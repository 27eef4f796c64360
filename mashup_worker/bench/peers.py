"""Adapters of other installed separation engines."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import inspect
from typing import TYPE_CHECKING, Any

import torch
from demucs.apply import BagOfModels
from demucs.htdemucs import HTDemucs

from mashup_worker.bench.engines import StockEngine, settings_of_torch
from mashup_worker.bench.networks import ConfiguredNetwork
from mashup_worker.errors import EngineUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from mashup_worker.audio.signal import Audio
    from mashup_worker.bench.engines import Engine, Weights

_REMEDIES = {
    "demucs": "pip install demucs==4.1.*",
    "demucs-infer": "pip install --no-deps demucs-infer",
    "unblend": "pip install unblend==1.0.0 (it asks for torch 2.13 or later, and was seen to run "
    "with 2.11 where it and httpx are installed with --no-deps)",
}


def open_peer(name: str, weights: Weights, device: torch.device) -> Engine:
    """Return the engine `name` on the device.

    Raises:
        EngineUnavailable: it is not installed, or cannot run these networks.
    """
    check_installed(name)
    try:
        with settings_of_torch():
            return PEERS[name](weights, device)
    except EngineUnavailable:
        raise
    except Exception as error:  # other packages raise any exception
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise EngineUnavailable(f"{name} cannot run: {reason}") from error


def check_installed(name: str) -> None:
    """Raise `EngineUnavailable`, with the remedy, for a peer that is not installed."""
    if importlib.util.find_spec(name.replace("-", "_")) is None:
        raise EngineUnavailable(f"{name} is not installed: {_REMEDIES[name]}")


class UnblendEngine:
    """unblend (MIT): fp16 and compiled on CUDA, its fastest mode; fp32 on a CPU.

    Its networks take arguments and weights of the originals unchanged. It compiles no SCNet.
    """

    batch: int | None = None

    def __init__(self, weights: Weights, device: torch.device) -> None:
        """Build its network from the measured one, which must be a single HTDemucs."""
        unblend = importlib.import_module("unblend")
        self.label = f"unblend {importlib.metadata.version('unblend')}"
        configured = isinstance(weights.bag, ConfiguredNetwork)
        self.compiled = device.type == "cuda" and not configured
        self._overlap, network = _unblend_network(weights)
        self._separator = unblend.Separator(network, device=str(device), compile=self.compiled)
        dtype = self._separator.dtype
        names = {torch.float16: "fp16", torch.bfloat16: "bf16"}
        # Where its arithmetic is fp32 it turns TF32 on for CUDA.
        self.precision = names.get(dtype, "tf32" if device.type == "cuda" else "fp32")

    def separate(self, mix: Audio) -> tuple[Tensor, ...]:
        """Separate as `Engine` states; unblend itself copies the stems to pinned memory."""
        song = mix.samples, mix.sample_rate
        with settings_of_torch():
            made = self._separator.separate(song, shifts=0, split_overlap=self._overlap)
        return tuple(sound.float() for sound in made.sources.values())


def _unblend_network(weights: Weights) -> tuple[float, Any]:
    """Return the overlap of its segments, and the measured network as one of unblend."""
    if not isinstance(weights.bag, ConfiguredNetwork):
        if not isinstance(weights.bag, BagOfModels):
            raise EngineUnavailable(f"unblend does not run {weights.model}")
        if len(weights.bag.models) != 1:
            raise EngineUnavailable("unblend runs single networks, not bags")
        return 0.25, _rebuilt(weights.bag.models[0], "unblend.htdemucs")
    definition = weights.bag.definition
    profile, parameters = definition.profile, dict(definition.parameters)
    if definition.architecture.startswith("scnet"):
        build = importlib.import_module("unblend.scnet").build_scnet
        parameters["external_normalization"] = profile.normalization == "song"
    else:
        build = importlib.import_module("unblend.roformer").build_roformer
        parameters.pop("use_shared_bias")
    made = build(
        definition.architecture,
        parameters,
        sources=list(profile.all_stems),
        samplerate=profile.sample_rate,
        segment_samples=profile.segment_samples,
        state=dict(weights.bag.state),
    )
    return 1 - profile.cut.stride_samples / profile.segment_samples, made


class DemucsInferEngine(StockEngine):
    """demucs-infer (MIT): networks and schedule of demucs, packaged for inference."""

    def __init__(self, weights: Weights, device: torch.device) -> None:
        """Build its networks from the measured ones, which must be HTDemucs."""
        super().__init__(weights, device)
        self.label = f"demucs-infer {importlib.metadata.version('demucs-infer')}"
        theirs = importlib.import_module("demucs_infer.apply")
        networks = [_rebuilt(one, "demucs_infer.htdemucs") for one in self._bag.models]
        self._bag = theirs.BagOfModels(networks, self._bag.weights)
        self._apply = theirs.apply_model


def _rebuilt(network: nn.Module, module: str) -> nn.Module:
    """Return the network as another package's HTDemucs, with the same arguments and weights."""
    if not isinstance(network, HTDemucs):
        raise EngineUnavailable(f"other engines cannot run a {type(network).__name__}")
    theirs_class: Any = importlib.import_module(module).HTDemucs
    made: Any = network
    args, kwargs = made._init_args_kwargs
    given = inspect.signature(HTDemucs).bind(*args, **kwargs).arguments
    known = inspect.signature(theirs_class).parameters
    settings = {name: value for name, value in given.items() if name in known}
    if "segment" in settings:
        settings["segment"] = float(settings["segment"])
    theirs: nn.Module = theirs_class(**settings)
    theirs.load_state_dict(network.state_dict(), strict=True)
    return theirs.eval()


PEERS: dict[str, Callable[[Weights, torch.device], Engine]] = {
    "demucs": StockEngine,
    "unblend": UnblendEngine,
    "demucs-infer": DemucsInferEngine,
}
"""Constructor of each engine."""
