"""Conversion of the parts of a file to the sample rate and speakers of its first part."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soxr

from mashup_worker.audio.layouts import conform

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mashup_worker.audio.layouts import Speakers
    from mashup_worker.audio.source import Block


def converted(
    blocks: Iterable[Block], form: tuple[int, Speakers], wanted: tuple[int, Speakers]
) -> Iterator[Block]:
    """Yield the blocks of a part, shape `(samples, channels)`, in another form.

    Args:
        blocks: the part.
        form: its sample rate in Hz and its speakers.
        wanted: sample rate and speakers of the result.
    """
    (in_rate_hz, speakers), (out_rate_hz, wanted_speakers) = form, wanted
    conformed = (conform(block, speakers, wanted_speakers) for block in blocks)
    if in_rate_hz == out_rate_hz:
        yield from conformed
        return
    stream = soxr.ResampleStream(
        in_rate_hz, out_rate_hz, len(wanted_speakers), dtype="float32", quality="VHQ"
    )
    last = None
    for block in conformed:
        if last is not None:
            yield stream.resample_chunk(last)
        last = np.ascontiguousarray(block)
    if last is not None:
        yield stream.resample_chunk(last, last=True)
