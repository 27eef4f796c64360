"""Protocol of all separators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    from mashup_worker.audio.signal import SampleSource
    from mashup_worker.licenses import License

    OnShare = Callable[[float], None]
    """Called with the share done, 0 to 1. An exception raised in it cancels the work."""


class Separator(Protocol):
    """Model that splits a mix into stems.

    A separator keeps its networks on their device and no state between songs. Several threads may
    separate songs with it at once.
    """

    @property
    def name(self) -> str:
        """Name of the model in the catalogue, or the name it was loaded by."""

    @property
    def license(self) -> License:
        """License of the weights."""

    @property
    def weights_sha256(self) -> str | None:
        """Digest of weights of the cache that the model's name does not identify; else None."""

    @property
    def stems(self) -> tuple[str, ...]:
        """Kinds of stems, such as `("drums", "bass", "other", "vocals")`."""

    @property
    def sample_rate(self) -> int:
        """Sample rate of the model."""

    @property
    def channels(self) -> int:
        """Channels of the model."""

    @property
    def device(self) -> str:
        """Device of the networks: `"cpu"`, `"cuda:0"`, `"mps"`."""

    @property
    def precision(self) -> str:
        """Arithmetic of the networks: `"fp32"`, `"tf32"`, `"bf16"` or `"fp16"`."""

    @property
    def residual_stem(self) -> str | None:
        """Stem defined as the mix minus all others, for models whose stems add up to the mix.

        None for models with independent estimates.
        """

    def warm_up(self) -> None:
        """Prepare the device for songs in several threads, before the first of them.

        Raises:
            OutOfMemory: one segment does not fit.
            DeviceLost: this process can no longer use the device.
        """

    def stream(
        self,
        mix: SampleSource,
        stems: Sequence[str] | None = None,
        *,
        on_progress: OnShare | None = None,
        on_device: bool = False,
    ) -> Iterator[Tensor]:
        """Separate `mix` and yield the stems piece by piece, in order.

        Args:
            mix: audio with the sample rate and channels of this separator.
            stems: kinds, in the order wanted; all when None.
            on_progress: called between batches with the share done.
            on_device: keep the stems on the device of the networks.

        Yields:
            Tensors of shape `(stems, channels, samples)`, float32 on the CPU unless `on_device`.
            Their lengths vary and add up to `mix.length_samples`. An empty mix yields nothing.

        Raises:
            InvalidInput: the model lacks a stem.
            OutOfMemory: not even the smallest batch fits.
        """
