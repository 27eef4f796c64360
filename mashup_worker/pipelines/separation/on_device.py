"""Separation of songs that stay on the device.

The host path (`separate.py`) moves float samples of every stem between device and host, and
resamples, sums and measures them there. Here all of that runs on the device, and only the integers
of the files are downloaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from mashup_worker.audio.resample import resampled_length
from mashup_worker.audio.signal import Audio
from mashup_worker.audio.writers import quantized
from mashup_worker.dsp.loudness import LoudnessMeter
from mashup_worker.dsp.polyphase import converted, has_few_phases
from mashup_worker.models.streams import download, upload
from mashup_worker.pipelines.separation.stems import Stem, computed_stems

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from mashup_worker.audio.formats import EncodeOptions
    from mashup_worker.audio.signal import SampleSource
    from mashup_worker.models.separator import Separator
    from mashup_worker.pipelines.separation.exact import ExactSum
    from mashup_worker.pipelines.separation.stems import StemMix

_SHARE_OF_MEMORY = 1 / 8
"""Share of the free memory that one song may use: others are in flight, and networks run."""

_COPIES = 3
"""Copies of each stem at once: as computed, at the song's rate, and as written."""


def fits(separator: Separator, song: SampleSource, made: Sequence[StemMix]) -> bool:
    """Return whether a song can stay on the separator's device."""
    device = torch.device(separator.device)
    if device.type != "cuda" or not has_few_phases(song.sample_rate, separator.sample_rate):
        return False
    seconds = song.length_samples / song.sample_rate
    samples = seconds * max(song.sample_rate, separator.sample_rate) * separator.channels
    free_bytes, _ = torch.cuda.mem_get_info(device)
    return 4 * samples * (1 + _COPIES * len(made)) <= _SHARE_OF_MEMORY * free_bytes


def separate_on_device(
    separator: Separator,
    song: SampleSource,
    made: Sequence[StemMix],
    *,
    on_progress: Callable[[float], None] | None,
) -> tuple[Stem, ...]:
    """Return stems with the song's sample rate and channels, on the separator's device."""
    device = torch.device(separator.device)
    whole = Audio(upload(song.read(0, song.length_samples), device), song.sample_rate)
    length = max(1, resampled_length(song.length_samples, song.sample_rate, separator.sample_rate))
    mix = converted(whole.samples, song.sample_rate, separator.sample_rate, length)
    kinds = computed_stems(made)
    parts = torch.empty(len(kinds), separator.channels, length, device=device)
    done = 0
    source = Audio(mix.expand(separator.channels, -1), separator.sample_rate)
    for blocks in separator.stream(source, kinds, on_progress=on_progress, on_device=True):
        parts[..., done : done + blocks.shape[-1]] = blocks
        done += blocks.shape[-1]
    if song.channels != separator.channels:
        parts = parts.mean(1, keepdim=True)
    back = converted(parts, separator.sample_rate, song.sample_rate, song.length_samples)
    sounds = {kind: Audio(part, song.sample_rate) for kind, part in zip(kinds, back, strict=True)}
    return tuple(Stem(weights, whole, sounds) for weights in made)


@dataclass(frozen=True, eq=False)
class Delivery:
    """Stem on its way from the device to its file: scaled, measured and rounded on the device.

    `values` on the host, `(channels, samples)`, are integers for integer formats, else float32.
    They and the loudness are valid after `wait`; `arrived` is None once the download is complete.
    """

    values: Tensor
    meter: LoudnessMeter
    arrived: torch.cuda.Event | None

    @classmethod
    def of(
        cls, stem: Stem, gain: float, encode: EncodeOptions, exact: ExactSum | None = None
    ) -> Delivery:
        """Start the download of a stem without waiting for it."""
        samples = gain * stem.read(0, stem.length_samples)
        meter = LoudnessMeter(stem.sample_rate, stem.channels)
        meter.add(samples)
        meter.move(lambda figures: download(figures)[0])  # downloads arrive in their order
        if exact is not None:
            samples = exact.rounded(stem, gain, 0, stem.length_samples)
        elif encode.lossless and not encode.is_float:
            samples = quantized(samples, encode.bit_depth)
        frames, arrived = download(samples.T.contiguous())
        return cls(frames.T, meter, arrived)

    def wait(self) -> None:
        """Wait for the download."""
        if self.arrived is not None:
            self.arrived.synchronize()
