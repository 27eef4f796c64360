"""Conversion of sample rates with libsoxr."""

from __future__ import annotations

from math import ceil

import numpy as np
import soxr
import torch
from torch import Tensor

from mashup_worker.audio.signal import Audio


def resampled_length(length_samples: int, in_rate_hz: int, out_rate_hz: int) -> int:
    """Return the length after conversion, rounded half up."""
    return (2 * length_samples * out_rate_hz + in_rate_hz) // (2 * in_rate_hz)


class StreamResampler:
    """Converter of a stream without delay: sample 0 stays at time 0.

    The blocks joined equal one conversion of the whole.

    Args:
        in_rate_hz: sample rate of the input.
        out_rate_hz: sample rate of the output.
        channels: channels of both.
        length_samples: samples per channel of the whole output; `resampled_length` of the input
            when None. A round trip must give its original length here, because several lengths
            map to the same one at a lower rate.
    """

    def __init__(
        self, in_rate_hz: int, out_rate_hz: int, channels: int, *, length_samples: int | None = None
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
        """Convert the next samples and return those that are complete.

        Args:
            block: float32 tensor of shape `(channels, samples)`; may be empty.
            last: whether the stream ends with this block; no further call is allowed then.

        Returns:
            Tensor of shape `(channels, n)`; `n` varies and may be 0 at first. At equal rates and
            without `length_samples` it is `block` itself.
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
        # Silence is appended until the wanted length comes out together with the filter's tail.
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
        # NumPy is several times faster than torch at this transposed copy.
        return torch.from_numpy(np.ascontiguousarray(stream.resample_chunk(samples, last=last).T))


def resample(audio: Audio, sample_rate: int, *, length_samples: int | None = None) -> Audio:
    """Convert sound in memory; `length_samples` is that of `StreamResampler`.

    At equal rates the samples are returned unchanged.
    """
    stream = StreamResampler(
        audio.sample_rate, sample_rate, audio.channels, length_samples=length_samples
    )
    return Audio(stream.process(audio.samples, last=True), sample_rate)
