"""Recurrent layers between encoder and decoder, along the rows and along the frames.

Every layer is followed by a Fourier transform over the frames, or by its inverse, so that every
other one runs over the frequencies of the rows' envelopes. The residual stream is
`(batch, parts, frames, rows, channels)`, float32; products have the type of their weights. Frames
have one part. Frequencies have a real and an imaginary one, whose channels the products join.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import nn

from mashup_worker.models.scnet.layers import NORM_EPSILON

if TYPE_CHECKING:
    from torch import Tensor

    from mashup_worker.models.layers import Linear
    from mashup_worker.models.lstm import BidirectionalLstm


def mean_square(x: Tensor) -> Tensor:
    """Return the mean square of each item of a batch.

    On a CPU, a norm over millions of elements is off by parts in a thousand, since it adds them up
    one by one. So it is taken by frame.

    Shape: `(batch, parts, frames, rows, channels)` to `(batch, 1, 1, 1, 1)`.
    """
    by_frame = torch.linalg.vector_norm(x, dim=(3, 4), keepdim=True).square()
    mean: Tensor = by_frame.mean((1, 2), keepdim=True) / x[0, 0, 0].numel()
    return mean


class Recurrence(nn.Module):
    """Bidirectional LSTM along one axis, whose projected output is added to its input.

    Args:
        norm: scale and offset of the norm over all frames, rows and channels, shape
            `(2, parts * channels)`.
        project: product from both directions to the channels.
    """

    def __init__(
        self,
        norm: Tensor,
        lstm: BidirectionalLstm,
        project: Linear,
        *,
        along: Literal["frames", "rows"],
    ) -> None:
        super().__init__()
        self.register_buffer("norm", norm.contiguous())
        self.lstm = lstm
        self.project = project
        self._order = (2, 0, 3, 1, 4) if along == "frames" else (3, 0, 2, 1, 4)

    norm: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Add to `x`, float32, in place, and return it."""
        mean = x.mean((1, 2, 3, 4), keepdim=True)
        centered = x - mean
        rate = (mean_square(centered) + NORM_EPSILON).rsqrt()
        gain, offset = self.norm.view(2, x.shape[1], -1)
        # Written in the order and type that the LSTM takes.
        turned = centered.permute(self._order)
        shape = turned.shape[0], turned.shape[1] * turned.shape[2], self.norm.shape[1]
        scale = rate.permute(self._order) * gain
        if torch.compiler.is_compiling():  # a compiled `out` has the strides of the input
            steps = torch.addcmul(offset, turned, scale).to(self.lstm.dtype).reshape(shape)
        else:
            steps = torch.empty(shape, dtype=self.lstm.dtype, device=x.device)
            torch.addcmul(offset, turned, scale, out=steps.view(turned.shape))
        made = self.project(self.lstm(steps)).view(turned.shape)
        x.permute(self._order).add_(made)
        return x


class FrameTransform(nn.Module):
    """Orthonormal real Fourier transform over the frames, or its inverse, as a matrix product.

    The lengths are no powers of two, and the product does without the copies around a transform
    along an axis that is not the last.

    Args:
        frames: number of frames, even.
    """

    def __init__(self, frames: int, *, inverse: bool) -> None:
        super().__init__()
        identity = torch.eye(frames, dtype=torch.float64)
        parts = torch.view_as_real(torch.fft.rfft(identity, norm="ortho"))
        matrix = parts.permute(2, 1, 0).flatten(0, 1)  # real parts of all frequencies first
        if inverse:
            twice = torch.full((frames // 2 + 1,), 2.0, dtype=torch.float64)
            twice[0] = twice[-1] = 1
            matrix = matrix.t() * twice.repeat(2)
        self.register_buffer("matrix", matrix.float().contiguous())
        self._inverse = inverse

    matrix: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Transform float32 rows.

        Shape: `(batch, 1, frames, rows, channels)` to `(batch, 2, frames / 2 + 1, rows, channels)`,
        or back.
        """
        made = self._product(x.flatten(1, 2).flatten(2))
        return made.view(len(x), 1 if self._inverse else 2, -1, *x.shape[3:])

    def _product(self, x: Tensor) -> Tensor:
        made: Tensor
        if len(x) == 1:  # a batched product would copy both factors on a CPU
            made = torch.mm(self.matrix, x[0])[None]
        else:
            made = torch.bmm(self.matrix.expand(len(x), -1, -1), x)
        return made


class DualPath(nn.Module):
    """Layers of two recurrences each, with a transform over the frames after each layer."""

    def __init__(self, layers: list[tuple[Recurrence, Recurrence]], frames: int) -> None:
        super().__init__()
        self.along_rows = nn.ModuleList(layer for layer, _ in layers)
        self.along_frames = nn.ModuleList(layer for _, layer in layers)
        self.transforms = nn.ModuleList(
            [FrameTransform(frames, inverse=False), FrameTransform(frames, inverse=True)]
        )

    def forward(self, x: Tensor) -> Tensor:
        """Change `x`, float32 of shape `(batch, frames, rows, channels)`, and return the result."""
        x = x[:, None]
        for index, (rows, frames) in enumerate(
            zip(self.along_rows, self.along_frames, strict=True)
        ):
            x = self.transforms[index % 2](frames(rows(x)))
        return x[:, 0]
