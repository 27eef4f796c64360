"""What every separator can do, whatever network or method is inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    from mashup_worker.audio.signal import SampleSource

    OnProgress = Callable[[float], None]
    """Called with the share of the work done, 0 to 1. An exception raised in it stops the work."""


class Separator(Protocol):
    """Splits a mix into stems.

    A separator holds its networks ready on their device and keeps no state between songs. Several
    threads may separate songs with it at once.
    """

    @property
    def name(self) -> str:
        """The model's name in the catalogue, or the name it was loaded by."""
        ...

    @property
    def stems(self) -> tuple[str, ...]:
        """Kinds of stems the model makes, such as `("drums", "bass", "other", "vocals")`."""
        ...

    @property
    def rate_hz(self) -> int:
        """Sample rate the model works at."""
        ...

    @property
    def channels(self) -> int:
        """Channels the model works on."""
        ...

    @property
    def device(self) -> str:
        """Where the networks run: `"cpu"`, `"cuda:0"`, `"mps"`."""
        ...

    @property
    def precision(self) -> str:
        """Arithmetic of the networks: `"fp32"`, `"tf32"`, `"bf16"` or `"fp16"`."""
        ...

    @property
    def residual_stem(self) -> str | None:
        """The stem defined as the mix less all others, where the model's stems add up to the mix.

        None for models whose stems are independent estimates.
        """
        ...

    def stream(
        self,
        mix: SampleSource,
        stems: Sequence[str] | None = None,
        *,
        on_progress: OnProgress | None = None,
        on_device: bool = False,
    ) -> Iterator[Tensor]:
        """Separate `mix` and yield the stems piece by piece, from the start to the end.

        Args:
            mix: sound at this separator's `rate_hz` with this separator's `channels`.
            stems: kinds wanted, in the order wanted; all when None.
            on_progress: called between batches with the share done.
            on_device: leave the stems where the networks run.

        Yields:
            Tensors of shape `(stems, channels, samples)`, float32 on the CPU unless `on_device`;
            their lengths vary and add up to `mix.length_samples`. Nothing is yielded for an empty
            mix.

        Raises:
            InvalidInput: a stem that this model does not make.
            OutOfMemory: not even the smallest batch fits.
        """
        ...
