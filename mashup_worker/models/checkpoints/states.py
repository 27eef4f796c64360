"""Weights of a checkpoint by name, from the wrappings that trainers put around them.

Trainers store weights beside the state of the optimizer, as a running average, or under the
prefixes of modules around the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from mashup_worker.errors import ModelUnavailable
from mashup_worker.models.checkpoints.unpickling import unpickle

if TYPE_CHECKING:
    from pathlib import Path

STATE_SUFFIXES = (".safetensors", ".ckpt", ".pt", ".pth", ".th")

MAX_STATE_BYTES = 8 << 30
"""Most memory that weights may take as float32."""

_WRAPPERS = (
    *("best_state", "ema_state_dict", "state_dict_ema", "model_ema", "ema"),
    *("state_dict", "model_state_dict", "state", "model"),
)
"""Keys below which trainers store weights, best first: of the best epoch, averages, the last."""

_PREFIXES = ("module.", "model.", "_orig_mod.", "net.")
"""Names of modules around a network, each with its dot."""

_AVERAGE_PREFIX = "ema_model."
"""Prefix of averages that are stored beside the weights of the last step."""

_MOST_WRAPPINGS = 4


def read_state(path: Path) -> dict[str, Tensor]:
    """Return the weights of a checkpoint by name, without wrappings; floats are float32.

    Raises:
        ModelUnavailable: the file cannot be read, contains no weights, or is damaged.
    """
    if path.suffix.lower() == ".safetensors":
        try:
            content: Any = load_file(path)
        except (OSError, SafetensorError) as error:
            raise ModelUnavailable(f"{path}: not safetensors, or damaged or truncated") from error
    else:
        content = unpickle(path)
    return state_of(content, path)


def state_of(content: object, path: Path) -> dict[str, Tensor]:
    """Return the weights in the content of a checkpoint. Raises as `read_state`."""
    state = _without_prefixes(_named_tensors(content))
    if not state:
        raise ModelUnavailable(f"{path}: contains no weights by name")
    total_bytes = 0
    for name, tensor in state.items():
        _check_plain(name, tensor, path)
        total_bytes += 4 * tensor.numel()
    if total_bytes > MAX_STATE_BYTES:
        raise ModelUnavailable(f"{path}: weights of more than {MAX_STATE_BYTES >> 30} GiB")
    return {
        name: tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in state.items()
    }


def _named_tensors(content: object, wrappings: int = _MOST_WRAPPINGS) -> dict[str, Tensor]:
    """Return the tensors of a mapping, or of the best of those that it wraps; empty if none."""
    if not isinstance(content, Mapping):
        return {}
    for key in _WRAPPERS if wrappings else ():
        if found := _named_tensors(content.get(key), wrappings - 1):
            return found
    return {
        name: one
        for name, one in content.items()
        if isinstance(name, str) and isinstance(one, Tensor)
    }


def _without_prefixes(state: dict[str, Tensor]) -> dict[str, Tensor]:
    averages = {
        name.removeprefix(_AVERAGE_PREFIX): tensor
        for name, tensor in state.items()
        if name.startswith(_AVERAGE_PREFIX)
    }
    state = averages or state
    while state and (
        prefix := next(
            (one for one in _PREFIXES if all(name.startswith(one) for name in state)), None
        )
    ):
        state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state


def _check_plain(name: str, tensor: Tensor, path: Path) -> None:
    """Refuse tensors that are no array of numbers in memory, or that repeat a few of them."""
    if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
        raise ModelUnavailable(f"{path}: {name}: not a plain tensor")
    if tensor.is_complex() or tensor.numel() * tensor.itemsize > tensor.untyped_storage().nbytes():
        raise ModelUnavailable(f"{path}: {name}: not a plain tensor of weights")


def check_shapes(
    state: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]], where: str
) -> None:
    """Compare weights with the shapes that a network expects.

    Raises:
        ModelUnavailable: a weight is missing, is not expected, or has another shape; the message
            names the first one.
    """
    for name, shape in expected.items():
        if name not in state:
            raise ModelUnavailable(f"{where}: {name}: missing")
        found = tuple(state[name].shape)
        if found != shape:
            raise ModelUnavailable(f"{where}: {name}: shape {found} instead of {shape}")
    for name in state:
        if name not in expected:
            raise ModelUnavailable(f"{where}: {name}: not expected")
