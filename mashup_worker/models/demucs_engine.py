"""Demucs engine: run the networks of a bag over a song, piece by piece.

`demucs` provides the network classes and the bag. For every network that the requested stems need,
a pass cuts the song into segments, runs them in batches shared with all songs in flight, and
cross-fades the results. All passes advance together, and finished samples are combined by the bag's
weights. The accumulators stay on the device and are one segment long.

In fp32 with `shifts=0` the result equals `demucs.api.Separator` with `shifts=0`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from mashup_worker.errors import InvalidInput
from mashup_worker.models.batcher import Batcher, Window
from mashup_worker.models.device import (
    device_errors,
    resolve_device,
    resolve_precision,
    searching_algorithms,
)
from mashup_worker.models.fp32 import set_fp32
from mashup_worker.models.runner import Arithmetic, NetworkRunner
from mashup_worker.models.segments import CrossFade, Segmentation
from mashup_worker.models.streams import upload
from mashup_worker.system.cores import use_physical_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from demucs.apply import BagOfModels
    from torch import Tensor

    from mashup_worker.audio.signal import SampleSource
    from mashup_worker.models.segments import Segment
    from mashup_worker.models.separator import OnShare

_MAX_SHIFT_S = 0.5
"""Greatest random shift, as in Demucs."""

_LEVEL_BLOCK_SAMPLES = 1 << 20

_FP16_CREST = 20.0
"""Peak over RMS from which a window runs in fp32 instead of fp16.

Networks divide a window by its deviation. Bursts in silence keep peaks far above it, and such
windows were seen to overflow fp16 or to land below 14 dB of the fp32 result.
"""


@dataclass(frozen=True)
class EngineOptions:
    """Settings of the engine.

    Attributes:
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        precision: `auto`, `fp32`, `tf32`, `bf16` or `fp16`. `tf32` applies to all float32 products
            and convolutions of the process, also in resampling and mastering, until an engine with
            another precision is loaded: cuBLAS and cuDNN have one setting per process.
        shifts: number of random shifts whose results are averaged; 0 for none.
        overlap: share of a segment that the next one overlaps, 0 up to but not 1.
        batch: segments per batch; chosen by the device's memory when None.
        compile: compile the networks at first use, which takes up to minutes.
    """

    device: str = "auto"
    precision: str = "auto"
    shifts: int = 0
    seed: int = 0
    overlap: float = 0.25
    batch: int | None = None
    compile: bool = False

    def __post_init__(self) -> None:
        if self.shifts < 0:
            raise InvalidInput(f"shifts {self.shifts}: use 0 or more")
        if not 0 <= self.overlap < 1:
            raise InvalidInput(f"overlap {self.overlap}: use at least 0 and below 1")
        if self.batch is not None and self.batch < 1:
            raise InvalidInput(f"batch {self.batch}: use 1 or more")


@dataclass(frozen=True)
class _Pass:
    """Run of one network over a song.

    Attributes:
        start: start of the first segment; negative for a shifted song.
        weights: weight of this pass for each requested stem, shape `(stems, 1, 1)`; they sum to 1
            over all passes.
    """

    network: NetworkRunner
    segmentation: Segmentation
    start: int
    weights: Tensor


class DemucsSeparator:
    """Bag of Demucs networks on a device. Implements `Separator`."""

    def __init__(self, name: str, bag: BagOfModels, options: EngineOptions | None = None) -> None:
        """Move the networks to the device. On CUDA, set the float32 arithmetic of the process.

        No song may be in flight.

        Raises:
            InvalidInput: an option is invalid.
            DeviceUnavailable: the machine lacks the device.
            OutOfMemory: the networks do not fit on it.
            DeviceLost: this process can no longer use the device.
        """
        self.name = name
        self.options = options or EngineOptions()
        self.stems: tuple[str, ...] = tuple(bag.sources)
        self.sample_rate = int(bag.samplerate)
        self.channels = int(bag.audio_channels)
        self.residual_stem: str | None = None
        device = resolve_device(self.options.device)
        precision = resolve_precision(self.options.precision, device)
        self._how = Arithmetic(device, precision, self.options.compile)
        if device.type == "cpu":
            use_physical_cores()
        elif device.type == "cuda":
            set_fp32("tf32" if precision == "tf32" else "ieee")
        with device_errors(device, name):
            self._networks = [NetworkRunner(network, self._how) for network in bag.models]
        self._weights = torch.tensor(bag.weights)
        self._batcher = Batcher(self._how, self.options.batch)

    @property
    def device(self) -> str:
        """Device of the networks."""
        return str(self._how.device)

    @property
    def precision(self) -> str:
        """Arithmetic of the networks."""
        return self._how.precision

    @property
    def is_compiled(self) -> bool:
        """Whether every network has run, and each run of its core was compiled."""
        return all(network.is_compiled for network in self._networks)

    def warm_up(self) -> None:
        """Run every network in every batch size, so that songs do not wait for recordings.

        Call it before threads separate songs. cuDNN algorithms are searched only here: recordings
        keep the result, while every other thread would have to search again.

        Raises:
            OutOfMemory: one segment does not fit; larger batches that do not fit are dropped.
            DeviceLost: this process can no longer use the device.
        """
        size = None
        with searching_algorithms(self._how.device), device_errors(self.device, "this model"):
            while size != self._batcher.size:  # running out of memory drops all recordings
                size = self._batcher.size
                for network in self._networks:
                    self._warm_up(network)

    def _warm_up(self, network: NetworkRunner) -> None:
        length = network.valid_length(network.segment_samples)
        silence = torch.zeros(self.channels, length, device=self._how.device)
        window = Window(network, tuple(range(len(self.stems))), silence)
        sizes = self._batcher.sizes if network.records(exact=False) else [self._batcher.size]
        for size in sizes:
            for _ in self._batcher.estimates([window] * min(size, self._batcher.size)):
                pass
        if self.precision == "fp16":
            list(self._batcher.estimates([replace(window, exact=True)]))

    def stream(
        self,
        mix: SampleSource,
        stems: Sequence[str] | None = None,
        *,
        on_progress: OnShare | None = None,
        on_device: bool = False,
    ) -> Iterator[Tensor]:
        """Separate `mix`; see `Separator.stream`."""
        rows = self._rows(self.stems if stems is None else stems)
        if not mix.length_samples:
            return
        song = _normalized(mix)
        passes = self._passes(rows)
        total = sum(one.segmentation.count(one.start, mix.length_samples) for one in passes)
        done = 0

        def advance() -> None:
            nonlocal done
            done += 1
            if on_progress is not None:
                on_progress(done / total)

        streams = [self._run(one, rows, song, advance) for one in passes]
        with device_errors(self.device, "this model"):
            for block in _combine(streams, [one.weights for one in passes]):
                finished = block * song.deviation + song.mean
                yield finished if on_device else finished.cpu()

    def _rows(self, stems: Sequence[str]) -> list[int]:
        unknown = [stem for stem in stems if stem not in self.stems]
        if unknown:
            raise InvalidInput(
                f"{self.name} makes no stem {unknown[0]!r}: it makes {', '.join(self.stems)}"
            )
        return [self.stems.index(stem) for stem in stems]

    def _passes(self, rows: list[int]) -> list[_Pass]:
        """Return the passes that the stems `rows` need, without networks that have no weight."""
        wanted = self._weights[:, rows]
        shares = wanted / wanted.sum(0) / max(1, self.options.shifts)
        return [
            _Pass(
                network=network,
                segmentation=Segmentation(
                    network.segment_samples, self.options.overlap, network.valid_length
                ),
                start=start,
                weights=upload(share[:, None, None], self._how.device),
            )
            for network, share, starts in zip(self._networks, shares, self._starts(), strict=True)
            if share.any()
            for start in starts
        ]

    def _starts(self) -> list[list[int]]:
        """Return the starts of the passes of each network."""
        # Drawn for every network, so that a stem does not depend on which others are requested.
        if not self.options.shifts:
            return [[0] for _ in self._networks]
        generator = random.Random(self.options.seed)  # noqa: S311 - nothing here is a secret
        limit = int(_MAX_SHIFT_S * self.sample_rate)
        return [
            [generator.randint(0, limit) - limit for _ in range(self.options.shifts)]
            for _ in self._networks
        ]

    def _run(
        self, one: _Pass, rows: list[int], song: _NormalizedSong, advance: Callable[[], None]
    ) -> Iterator[Tensor]:
        """Run one pass; yield `(stems, channels, samples)` that cover the song once."""
        cut, stop = one.segmentation, song.mix.length_samples
        fade = CrossFade((len(rows), self.channels), cut.segment_samples, self._how.device)
        to_skip = -one.start
        estimates = self._batcher.estimates(
            self._window(one.network, rows, song.window(segment))
            for segment in cut.segments(one.start, stop)
        )
        for segment, estimate in zip(cut.segments(one.start, stop), estimates, strict=True):
            next_start = segment.start + cut.stride_samples
            finished = fade.add(segment, estimate, next_start if next_start < stop else None)
            advance()
            skipped = min(to_skip, finished.shape[-1])
            to_skip -= skipped
            if skipped < finished.shape[-1]:
                yield finished[..., skipped:]

    def _window(self, network: NetworkRunner, rows: list[int], samples: Tensor) -> Window:
        exact = self._how.precision == "fp16" and bool(_crest(samples) > _FP16_CREST)
        return Window(network=network, rows=tuple(rows), samples=samples, exact=exact)


@dataclass(frozen=True)
class _NormalizedSong:
    """Song as Demucs networks expect it: zero mean and unit deviation, surrounded by zeros."""

    mix: SampleSource
    mean: float
    deviation: float

    def window(self, segment: Segment) -> Tensor:
        window_stop = segment.window_start + segment.window_length
        start, stop = max(0, segment.window_start), min(self.mix.length_samples, window_stop)
        samples = (self.mix.read(start, stop) - self.mean) / self.deviation
        return F.pad(samples, (start - segment.window_start, window_stop - stop))


def _crest(samples: Tensor) -> Tensor:
    """Return peak over RMS; 0 for silence."""
    return samples.abs().amax() / samples.square().mean().sqrt().clamp(min=1e-12)


def _combine(streams: list[Iterator[Tensor]], weights: list[Tensor]) -> Iterator[Tensor]:
    """Yield the weighted sum of streams that cover the same samples in pieces of any length."""
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


def _normalized(mix: SampleSource) -> _NormalizedSong:
    """Measure the mono mix as `demucs.api` does, in double precision."""
    count = mix.length_samples
    sums = []
    for start in range(0, count, _LEVEL_BLOCK_SAMPLES):
        block = mix.read(start, min(count, start + _LEVEL_BLOCK_SAMPLES)).mean(0).double()
        sums.append(torch.stack([block.sum(), block.square().sum()]))
    total, squares = torch.stack(sums).sum(0).tolist()  # the only wait for the device
    mean = total / count
    variance = max(0.0, squares - count * mean * mean) / max(1, count - 1)
    return _NormalizedSong(mix, mean, variance**0.5 + 1e-8)
