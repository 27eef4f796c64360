"""Weights of a checkpoint, for the conversion of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from mashup_worker.errors import ModelUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor


class Weights:
    """Weights by name, each of which must be used.

    Errors start with the name of a weight.
    """

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        self._state = state
        self._used: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._state

    def take(self, name: str, *shape: int | None) -> Tensor:
        """Return a copy on the CPU in float32; None in `shape` is any length.

        Raises:
            ModelUnavailable: the weight is missing, or has another shape.
        """
        if name not in self._state:
            raise ModelUnavailable(f"{name}: missing in the checkpoint")
        tensor = self._state[name]
        fits = len(shape) == tensor.ndim and all(
            wanted in (None, length) for wanted, length in zip(shape, tensor.shape, strict=True)
        )
        if not fits:
            wanted = " x ".join("any" if one is None else str(one) for one in shape)
            raise ModelUnavailable(
                f"{name}: shape {' x '.join(map(str, tensor.shape))} instead of {wanted}; "
                f"the configuration belongs to another checkpoint"
            )
        self._used.add(name)
        return tensor.detach().to("cpu", torch.float32, copy=True)

    def take_if_there(self, name: str, *shape: int | None) -> Tensor | None:
        """Return `take`, or None where the checkpoint lacks the weight."""
        return self.take(name, *shape) if name in self else None

    def count(self, pattern: str) -> int:
        """Return for how many of 0, 1, … in place of `{}` a weight has this name."""
        count = 0
        while pattern.format(count) in self:
            count += 1
        return count

    def require_all_used(self) -> None:
        """Raise ModelUnavailable for the first weight that no part of the network has taken."""
        for name in self._state:
            if name not in self._used:
                raise ModelUnavailable(
                    f"{name}: weights of a kind of network that is not supported"
                )
