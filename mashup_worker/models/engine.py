"""Engine of separation networks: run a bag of them over a song, piece by piece.

For every network that the requested stems need, a pass cuts the song into segments, runs them in
batches shared with all songs in flight, and cross-fades the results. All passes advance together,
and finished samples are combined by the bag's weights. The accumulators stay on the device and are
one segment long.

In fp32 with `shifts=0` the result of Demucs networks equals `demucs.api.Separator` with `shifts=0`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from mashup_worker.errors import InvalidInput
from mashup_worker.licenses import NO_STATEMENT
from mashup_worker.models.batcher import Batcher, Window
from mashup_worker.models.combine import combine
from mashup_worker.models.device import (
    device_errors,
    resolve_device,
    resolve_precision,
    searching_algorithms,
)
from mashup_worker.models.fp32 import set_fp32
from mashup_worker.models.runner import Arithmetic, NetworkRunner
from mashup_worker.models.segments import CrossFade, Segmentation, stride_samples
from mashup_worker.models.song import NormalizedSong
from mashup_worker.models.streams import upload
from mashup_worker.system.cores import use_physical_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    from mashup_worker.audio.signal import SampleSource
    from mashup_worker.models.bag import Bag
    from mashup_worker.models.network import NetworkProfile
    from mashup_worker.models.separator import OnShare

_MAX_SHIFT_S = 0.5
"""Greatest random shift, as in Demucs."""

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
        overlap: share of a segment that the next one overlaps, 0 up to but not 1; each network's
            own when None.
        batch: segments per batch; chosen by the device's memory when None.
        compile: compile the networks at first use, which takes up to minutes.
    """

    device: str = "auto"
    precision: str = "auto"
    shifts: int = 0
    seed: int = 0
    overlap: float | None = None
    batch: int | None = None
    compile: bool = False

    def __post_init__(self) -> None:
        if self.shifts < 0:
            raise InvalidInput(f"shifts {self.shifts}: use 0 or more")
        if self.overlap is not None and not 0 <= self.overlap < 1:
            raise InvalidInput(f"overlap {self.overlap}: use at least 0 and below 1")
        if self.batch is not None and self.batch < 1:
            raise InvalidInput(f"batch {self.batch}: use 1 or more")


@dataclass(frozen=True)
class _Pass:
    """Run of one network over a song.

    Attributes:
        shift: samples by which the first segment starts earlier.
        weights: weight of this pass for each requested stem, shape `(stems, 1, 1)`; they sum to 1
            over all passes.
    """

    network: NetworkRunner
    segmentation: Segmentation
    shift: int
    weights: Tensor


class NetworkSeparator:
    """Bag of networks on a device. Implements `Separator`."""

    license = NO_STATEMENT
    weights_sha256: str | None = None

    def __init__(self, name: str, bag: Bag, options: EngineOptions | None = None) -> None:
        """Move the networks of the bag to the device, in place.

        On CUDA, set the float32 arithmetic of the process. No song may be in flight.

        Raises:
            InvalidInput: an option is invalid.
            DeviceUnavailable: the machine lacks the device.
            OutOfMemory: the networks do not fit on it.
            DeviceLost: this process can no longer use the device.
        """
        self.name = name
        self.options = options or EngineOptions()
        self._profile = bag.profile
        self.stems = bag.profile.all_stems
        self.sample_rate = bag.profile.sample_rate
        self.channels = bag.profile.channels
        self.residual_stem = bag.profile.complement
        device = resolve_device(self.options.device)
        precision = resolve_precision(self.options.precision, device)
        self._how = Arithmetic(device, precision, self.options.compile)
        if device.type == "cpu":
            use_physical_cores()
        elif device.type == "cuda":
            set_fp32("tf32" if precision == "tf32" else "ieee")
        with device_errors(device, name):
            self._networks = [NetworkRunner(network, self._how) for network in bag.members]
        self._weights = torch.tensor(bag.weights)
        window_bytes = max(network.profile.window_bytes for network in bag.members)
        self._batcher = Batcher(self._how, self.options.batch, window_bytes)

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
        """Run every network in every batch size; see `Separator.warm_up`.

        cuDNN algorithms are searched only here: recordings keep the result, while every other
        thread would have to search again. Batches that do not fit are made smaller.
        """
        size = None
        with searching_algorithms(self._how.device), device_errors(self.device, "this model"):
            while size != self._batcher.size:  # running out of memory drops all recordings
                size = self._batcher.size
                for network in self._networks:
                    self._warm_up(network)

    def _warm_up(self, network: NetworkRunner) -> None:
        length = network.profile.window_length(network.profile.segment_samples)
        silence = torch.zeros(self.channels, length, device=self._how.device)
        window = Window(network, tuple(range(len(self._profile.stems))), silence)
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
        wanted = self._known(self.stems if stems is None else stems)
        if not mix.length_samples:
            return
        song = NormalizedSong.of(mix, self._profile)
        rows = self._rows(wanted)
        passes = self._passes(rows)
        total = sum(one.segmentation.count(mix.length_samples, one.shift) for one in passes)
        done = 0

        def advance() -> None:
            nonlocal done
            done += 1
            if on_progress is not None:
                on_progress(done / total)

        streams = [self._run(one, rows, song, advance) for one in passes]
        position = 0
        with device_errors(self.device, "this model"):
            for block in combine(streams, [one.weights for one in passes]):
                stop = position + block.shape[-1]
                finished = self._complemented(song.restored(block), wanted, mix, position)
                position = stop
                yield finished if on_device else finished.cpu()

    def _known(self, stems: Sequence[str]) -> list[str]:
        """Raise `InvalidInput` for a stem that the model lacks."""
        unknown = [stem for stem in stems if stem not in self.stems]
        if unknown:
            raise InvalidInput(
                f"{self.name} makes no stem {unknown[0]!r}: it makes {', '.join(self.stems)}"
            )
        return list(stems)

    def _rows(self, wanted: list[str]) -> list[int]:
        """Return the outputs that these stems need: the complement needs all."""
        if self.residual_stem in wanted:
            return list(range(len(self._profile.stems)))
        return [self.stems.index(stem) for stem in wanted]

    def _complemented(
        self, made: Tensor, wanted: list[str], mix: SampleSource, start: int
    ) -> Tensor:
        """Return the stems asked for, from the outputs `_rows`, which begin at `start`."""
        if self.residual_stem not in wanted:
            return made
        samples = upload(mix.read(start, start + made.shape[-1]), made.device)
        every = [*made, samples - made.sum(0)]
        return torch.stack([every[self.stems.index(stem)] for stem in wanted])

    def _passes(self, rows: list[int]) -> list[_Pass]:
        """Return the passes that the outputs `rows` need, without networks that have no weight."""
        wanted = self._weights[:, rows]
        shares = wanted / wanted.sum(0) / max(1, self.options.shifts)
        return [
            _Pass(
                network=network,
                segmentation=self._segmentation(network.profile),
                shift=shift,
                weights=upload(share[:, None, None], self._how.device),
            )
            for network, share, shifts in zip(self._networks, shares, self._shifts(), strict=True)
            if share.any()
            for shift in shifts
        ]

    def _segmentation(self, profile: NetworkProfile) -> Segmentation:
        cut = profile.cut
        if self.options.overlap is not None:
            stride = stride_samples(profile.segment_samples, self.options.overlap)
            cut = replace(cut, stride_samples=stride)
        return Segmentation(profile.segment_samples, cut, profile.window_length)

    def _shifts(self) -> list[list[int]]:
        """Return the shift of each pass of each network."""
        # Drawn for every network, so that a stem does not depend on which others are requested.
        if not self.options.shifts:
            return [[0] for _ in self._networks]
        generator = random.Random(self.options.seed)  # noqa: S311 - nothing here is a secret
        limit = int(_MAX_SHIFT_S * self.sample_rate)
        return [
            [limit - generator.randint(0, limit) for _ in range(self.options.shifts)]
            for _ in self._networks
        ]

    def _run(
        self, one: _Pass, rows: list[int], song: NormalizedSong, advance: Callable[[], None]
    ) -> Iterator[Tensor]:
        """Run one pass; yield `(stems, channels, samples)` that cover the song once."""
        cut, length = one.segmentation, song.mix.length_samples
        fade = CrossFade((len(rows), self.channels), cut, self._how.device)
        estimates = self._batcher.estimates(
            self._window(one.network, rows, song.window(segment, cut))
            for segment in cut.segments(length, one.shift)
        )
        left = cut.count(length, one.shift)
        for segment, estimate in zip(cut.segments(length, one.shift), estimates, strict=True):
            left -= 1
            finished = fade.add(segment, estimate, is_final=not left)
            advance()
            # The first and the last segments reach beyond the song.
            first, stop = max(0, -segment.start), length - segment.start
            if first < min(stop, finished.shape[-1]):
                yield finished[..., first:stop]

    def _window(self, network: NetworkRunner, rows: list[int], samples: Tensor) -> Window:
        exact = self._how.precision == "fp16" and bool(_crest(samples) > _FP16_CREST)
        return Window(network=network, rows=tuple(rows), samples=samples, exact=exact)


def _crest(samples: Tensor) -> Tensor:
    """Return peak over RMS; 0 for silence."""
    return samples.abs().amax() / samples.square().mean().sqrt().clamp(min=1e-12)
