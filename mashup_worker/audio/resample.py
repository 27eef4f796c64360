"""Sample rate conversion with libsoxr."""

from __future__ import annotations

from math import ceil

import numpy as np
import soxr
import torch
from torch import Tensor

from mashup_worker.audio.signal import Audio


def resampled_length(length_samples: int, in_rate_hz: int, out_rate_hz: int) -> int:
    """Samples that `length_samples` become at another rate, rounded half up."""
    return (2 * length_samples * out_rate_hz + in_rate_hz) // (2 * in_rate_hz)


class StreamResampler:
    """Converts a stream piece by piece, without delay: sample 0 stays at time 0.

    The pieces add up to what one conversion of the whole would give.

    Args:
        in_rate_hz: samples a second of what comes in.
        out_rate_hz: samples a second of what goes out.
        channels: channels of both.
        length_samples: samples a channel to put out in all; `resampled_length` of the input when
            None. A round trip gets its exact length back by naming it here: from a lower rate
            alone it can't be told, since several lengths map to one.
    """

    def __init__(
        self,
        in_rate_hz: int,
        out_rate_hz: int,
        channels: int,
        *,
        length_samples: int | None = None,
    ) -> None:
        self._rates_hz = in_rate_hz, out_rate_hz
        self._wanted = length_samples
        self._taken = 0
        self._given = 0
        self._stream = None
        if in_rate_hz != out_rate_hz:
            self._stream = soxr.ResampleStream(
                in_rate_hz, out_rate_hz, channels, dtype="float32", quality="VHQ"
            )

    def process(self, block: Tensor, *, last: bool = False) -> Tensor:
        """Take the next samples in and give those that are ready.

        Args:
            block: float32 tensor of shape `(channels, samples)`; may be empty.
            last: whether this is the end of the stream; nothing may follow.

        Returns:
            Tensor of shape `(channels, n)`; `n` varies, and may be 0 at first. At equal rates it
            is `block` itself, unless a length was asked for.
        """
        self._taken += block.shape[1]
        converted = block if self._stream is None else self._convert(self._stream, block)
        wanted = self._wanted
        if last:
            if wanted is None:
                wanted = resampled_length(self._taken, *self._rates_hz)
            converted = self._with_tail(converted, wanted)
        if wanted is not None:
            converted = converted[:, : wanted - self._given]
        self._given += converted.shape[1]
        return converted

    def _with_tail(self, converted: Tensor, wanted: int) -> Tensor:
        # Silence goes in until the length wanted is sure to come out with the filter's tail.
        in_rate_hz, out_rate_hz = self._rates_hz
        missing = ceil(wanted * in_rate_hz / out_rate_hz) - self._taken
        if self._stream is None:
            tail = converted.new_zeros(converted.shape[0], max(missing, 0))
        else:
            silence = converted.new_zeros(converted.shape[0], max(missing, 0) + 1)
            tail = self._convert(self._stream, silence, last=True)
        return torch.cat([converted, tail], dim=1) if tail.shape[1] else converted

    @staticmethod
    def _convert(stream: soxr.ResampleStream, block: Tensor, *, last: bool = False) -> Tensor:
        samples = np.ascontiguousarray(block.numpy().T)
        return torch.from_numpy(stream.resample_chunk(samples, last=last).T).contiguous()


def resample(audio: Audio, rate_hz: int, *, length_samples: int | None = None) -> Audio:
    """Convert sound in memory; `length_samples` as for `StreamResampler`.

    At the rate it already has, the same sound comes back.
    """
    stream = StreamResampler(audio.rate_hz, rate_hz, audio.channels, length_samples=length_samples)
    return Audio(stream.process(audio.samples, last=True), rate_hz)
