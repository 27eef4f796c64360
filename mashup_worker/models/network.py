"""Separation networks: what each of them declares, and how all of them run.

A network cuts no song: it separates windows of fixed length. Its profile states how songs are cut
and normalized for it. `engine` does that for all networks, in batches that `batcher` makes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, Self

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mashup_worker.models.segments import Cut

Core = Callable[..., tuple[Tensor, ...]]
"""Signature of `NetworkCore.forward`: the core, or its compiled or captured form."""


@dataclass(frozen=True, kw_only=True)
class NetworkProfile:
    """What the engine must know of a network.

    Attributes:
        stems: stems that the network computes, in the order of its output.
        channels: channels of its input and of each stem.
        segment_samples: length of the pieces that songs are cut into.
        cut: how songs are cut, and how the pieces are joined.
        window_samples: input length for the length of a segment; None where it is always one
            segment.
        normalization: `song` shifts and scales songs to zero mean and unit deviation of their mono
            mix, as Demucs does; `none` leaves them.
        complement: stem that is the mix minus all others, for networks that compute some stems.
        window_bytes: memory that one window of a batch takes on CUDA; the first batch size follows
            from it.
    """

    stems: tuple[str, ...]
    sample_rate: int
    channels: int
    segment_samples: int
    cut: Cut
    window_samples: Callable[[int], int] | None = None
    normalization: Literal["song", "none"] = "none"
    complement: str | None = None
    window_bytes: int = 2 << 30

    def window_length(self, segment_samples: int) -> int:
        """Return the input length for the length of a segment."""
        if self.window_samples is None:
            return self.segment_samples
        return self.window_samples(segment_samples)

    @property
    def all_stems(self) -> tuple[str, ...]:
        """Stems of the network, and the complement."""
        return self.stems if self.complement is None else (*self.stems, self.complement)


class NetworkCore(nn.Module):
    """Part of a network between the transforms, where nearly all of its work is.

    Its `forward` takes any number of tensors and returns a tuple of tensors. Their shapes depend on
    the batch size alone, and no value is read on the host, so that the core can be compiled, and
    captured as a CUDA graph.
    """

    @property
    def dtype(self) -> torch.dtype:
        """Type of the products that `cast` changes."""
        return next(self.castable()).dtype

    def castable(self) -> Iterator[nn.Parameter]:
        """Return the factors of the products that half precision leaves accurate enough."""
        return self.parameters()

    def cast(self, dtype: torch.dtype) -> Self:
        """Compute the `castable` products in `dtype`, in place; statistics stay float32."""
        for parameter in self.castable():
            # `to` keeps the memory format, which convolutions rely on.
            parameter.data = parameter.data.to(dtype)
        return self

    def align_channels(self) -> Self:
        """Pad products to sizes that matrix units multiply, in place, where that is faster."""
        return self


class SeparationNetwork(nn.Module):
    """Network that separates windows.

    Transforms, statistics, inputs and outputs are float32, independent of the core.

    Attributes:
        core: the part that runs in half precision; None for a network that runs by autocast.
    """

    core: NetworkCore | None

    def __init__(self, profile: NetworkProfile, core: NetworkCore | None) -> None:
        super().__init__()
        self.profile = profile
        self.core = core
        self._prepared_core: Core | None = None

    def run_core_by(self, run: Core) -> None:
        """Call `run` instead of the core, such as its compiled or captured form."""
        # Stored as a plain callable: a module would become a child.
        self._prepared_core = partial(run)

    def run_core(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run the core, or its compiled or captured form.

        The next call may overwrite the outputs: `forward` must not return views of them.
        """
        run = self._prepared_core or self.core
        if run is None:
            raise TypeError(f"{type(self).__name__} has no core")
        made: tuple[Tensor, ...] = run(*inputs)
        return made

    def forward(self, windows: Tensor, rows: Sequence[int] | None = None) -> Tensor:
        """Separate `windows`, float32 of shape `(batch, channels, samples)`.

        Returns:
            The stems of these `rows` (all when None), float32 of shape
            `(batch, rows, channels, samples)`.
        """
        raise NotImplementedError
