"""The inference of Music-Source-Separation-Training, written plainly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


def demix(
    network: Callable[[Tensor], Tensor],
    mix: Tensor,
    chunk: int,
    overlap: int,
    *,
    normalize: bool = False,
) -> Tensor:
    """Separate by `demix`: in memory, one chunk at a time, weights by chunk.

    Args:
        network: makes `(1, stems, channels, chunk)` of `(1, channels, chunk)`.
        chunk: samples of a chunk.
        overlap: chunks that cover a sample.
    """
    mean, deviation = (mix.mean(0).mean(), mix.mean(0).std()) if normalize else (0.0, 1.0)
    song = (mix - mean) / (deviation + 1e-8) if normalize else mix
    step, fade = chunk // overlap, min(chunk // 10, chunk - chunk // overlap)
    border = chunk - step
    padded = mix.shape[1] > 2 * border > 0
    if padded:
        song = F.pad(song, (border, border), mode="reflect")
    total: Tensor | None = None
    weights = torch.zeros(song.shape[1])
    for start in range(0, song.shape[1], step):
        part = song[:, start : start + chunk]
        length = part.shape[1]
        mode = "reflect" if length > chunk // 2 else "constant"
        window = torch.ones(chunk)
        if start:
            window[:fade] = torch.linspace(0, 1, fade)
        if start + step < song.shape[1]:
            window[chunk - fade :] = torch.linspace(1, 0, fade)
        made = network(F.pad(part, (0, chunk - length), mode=mode)[None])[0]
        if total is None:
            total = torch.zeros(len(made), *song.shape)
        total[..., start : start + length] += (made * window)[..., :length]
        weights[start : start + length] += window[:length]
    assert total is not None
    stems = total / weights
    if padded:
        stems = stems[..., border:-border]
    return stems * (deviation + 1e-8) + mean if normalize else stems
