"""Network between the transforms: from the spectrogram to masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from mashup_worker.models.network import NetworkCore
from mashup_worker.models.roformer.transformer import unit_rms

if TYPE_CHECKING:
    from torch import Tensor

    from mashup_worker.models.roformer.bands import BandSplit, MaskEstimator, MaskMean
    from mashup_worker.models.roformer.transformer import Transformer


class RoformerCore(NetworkCore):
    """Band split, transformers and mask estimators.

    `forward` makes the tokens of all bands, which is nearly all of the work, and `mask` the mask of
    one stem from them: only requested stems are estimated.

    Args:
        layers: pairs of transformers along the frames and along the bands.
        norm: gain of the norm of the last output; None for no norm.
        skips: whether the input of each pair is the sum of all outputs so far, the last one twice.
        estimators: mask estimators of each stem.
    """

    def __init__(
        self,
        split: BandSplit,
        layers: list[tuple[Transformer, Transformer]],
        norm: Tensor | None,
        estimators: list[MaskEstimator],
        mean: MaskMean,
        *,
        skips: bool,
    ) -> None:
        super().__init__()
        self.split = split
        self.along_frames = nn.ModuleList(first for first, _ in layers)
        self.along_bands = nn.ModuleList(second for _, second in layers)
        self.register_buffer("norm", norm)
        self.estimators = nn.ModuleList(estimators)
        self.mean = mean
        self._skips = skips

    norm: Tensor | None

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Return the tokens of all bands, in the type of the products.

        Shape: float32 `(batch, frames, frequencies, parts)` to `(batch, frames, bands, channels)`.
        """
        stream: Tensor = self.split(x)
        total: Tensor | None = None
        for along_frames, along_bands in zip(self.along_frames, self.along_bands, strict=True):
            if total is not None:
                stream += total
            along_frames(stream)
            along_bands(stream)
            if self._skips:
                total = stream.clone() if total is None else total + stream
        if self.norm is not None:
            stream = unit_rms(stream) * self.norm
        return (stream.to(self.dtype),)

    def mask(self, tokens: Tensor, row: int) -> Tensor:
        """Return the mask of the stem `row`.

        Shape: `(batch, frames, bands, channels)` to float32 `(batch, frames, frequencies, parts)`.
        """
        masks = self.estimators[row](tokens.flatten(0, 1))
        parts = masks.shape[1] // len(self.split.frequencies)
        made: Tensor = self.mean(masks.unflatten(1, (-1, parts))).unflatten(0, tokens.shape[:2])
        return made
