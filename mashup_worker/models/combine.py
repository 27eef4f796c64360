"""Weighted sum of streams of stems."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor


def combine(streams: Sequence[Iterator[Tensor]], weights: Sequence[Tensor]) -> Iterator[Tensor]:
    """Yield the weighted sum of streams that cover the same samples in pieces of any length.

    Shape: pieces `(stems, channels, samples)`, and weights that broadcast to them.
    """
    pieces = [next(stream) for stream in streams]
    while True:
        length = min(piece.shape[-1] for piece in pieces)
        yield sum(
            (piece[..., :length] * weight for piece, weight in zip(pieces, weights, strict=True)),
            start=torch.zeros((), device=weights[0].device),
        )
        pieces = [piece[..., length:] for piece in pieces]
        for index, stream in enumerate(streams):
            if not pieces[index].shape[-1]:
                following = next(stream, None)
                if following is None:
                    return
                pieces[index] = following
