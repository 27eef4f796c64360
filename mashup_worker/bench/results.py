"""Measurements as data: one document per device, in sections.

A run of `mashup bench` replaces the sections that it measured and keeps the others, so each section
records its command, date and versions.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mashup_worker.bench.machine import Machine  # noqa: TC001 - pydantic reads it

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMA = 2


@dataclass(frozen=True)
class Taken:
    """Origin of a section: a command without paths, a day in UTC, and versions of packages."""

    command: str
    date: str
    versions: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Run:
    """Measurement of one engine or setting over several rounds.

    Attributes:
        label: engine or job.
        precision: arithmetic of the networks; None without networks.
        batch: segments per batch; None where the engine chooses.
        compiled: whether `torch.compile` compiled the core.
        tracks, track_s: number of songs in a round, and length of each.
        rounds_s: wall time of each round, the device synchronized on both sides.
        p50_s, p95_s: median and 95th percentile of the rounds.
        times_real_time: seconds of audio per second in the median round.
        tracks_per_hour: songs per hour at that speed.
        cost_per_track: cost at the given price; None without a price.
        peak_host_bytes: peak resident memory of the whole process.
        peak_device_bytes: peak memory reserved on the device, with weights and graphs; None on a
            CPU.
        busy_share: share of the time in which the device was busy; None if unknown.
        snr_db: signal-to-noise ratio against the same engine in fp32; None for equality and where
            it does not apply.
    """

    label: str
    precision: str | None = None
    batch: int | None = None
    compiled: bool = False
    tracks: int
    track_s: float
    rounds_s: tuple[float, ...]
    p50_s: float
    p95_s: float
    times_real_time: float
    tracks_per_hour: float
    cost_per_track: float | None
    peak_host_bytes: int
    peak_device_bytes: int | None = None
    busy_share: float | None = None
    snr_db: float | None = None


@dataclass(frozen=True)
class Work:
    """Number and length of the songs of a round, and the price of the machine, if known."""

    tracks: int
    track_s: float
    price_per_hour: float | None = None

    def run(
        self,
        label: str,
        rounds_s: Sequence[float],
        *,
        busy_share: float | None = None,
        snr_db: float | None = None,
        **facts: Any,
    ) -> Run:
        """Return the run of these rounds; `facts` are further fields of it."""
        p50_s = statistics.median(rounds_s)
        per_hour = 3600 * self.tracks / p50_s
        price = self.price_per_hour
        return Run(
            label=label,
            tracks=self.tracks,
            track_s=self.track_s,
            rounds_s=tuple(round(seconds, 4) for seconds in rounds_s),
            p50_s=round(p50_s, 4),
            p95_s=round(float(np.percentile(rounds_s, 95)), 4),
            times_real_time=round(self.tracks * self.track_s / p50_s, 3),
            tracks_per_hour=round(per_hour, 1),
            cost_per_track=None if price is None else price / per_hour,
            busy_share=None if busy_share is None else round(busy_share, 3),
            snr_db=None if snr_db is None else round(snr_db, 1),
            **facts,
        )


@dataclass(frozen=True)
class Ratio:
    """Speed of one engine relative to another.

    Attributes:
        label, against: the first engine, and the other.
        ratio: time of the other divided by that of the first, median of paired rounds.
        precision, compiled, snr_db: of the first engine, as in `Run`.
    """

    label: str
    against: str
    ratio: float
    precision: str | None = None
    compiled: bool = False
    snr_db: float | None = None

    @classmethod
    def of(cls, first: Run, other: Run, ratio: float) -> Ratio:
        """Return the ratio of two runs with paired rounds."""
        return cls(first.label, other.label, ratio, first.precision, first.compiled, first.snr_db)


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Work of one segment, counted on the reference network in fp32.

    Attributes:
        segment_s: seconds of the input of the network.
        stride_s: seconds of song that each further segment adds.
        operations: floating-point operations by kind; a multiplication and an addition count as
            two.
        weight_bytes: bytes of the weights.
        fused_bytes: memory traffic if only products, convolutions and transforms access memory.
        eager_bytes: memory traffic if every operator does.
    """

    segment_s: float
    stride_s: float
    operations: dict[str, float]
    weight_bytes: int
    fused_bytes: int
    eager_bytes: int


@dataclass(frozen=True)
class Limit:
    """Measured limits of the device, and the work of a segment.

    Attributes:
        counts: work of a segment.
        product_rates: operations per second of large matrix products, by precision.
        copy_bytes_per_s: bytes read plus written per second by a copy on the device.
        to_device_bytes_per_s, from_device_bytes_per_s: rates from and to pinned host memory; None
            on a CPU.
    """

    counts: Counts
    product_rates: dict[str, float]
    copy_bytes_per_s: float
    to_device_bytes_per_s: float | None = None
    from_device_bytes_per_s: float | None = None

    def times_real_time(self, precision: str) -> float:
        """Return the speed that no schedule of this network can exceed.

        The roofline of Williams, Waterman and Patterson (2009): the slower of products at the
        measured rate and fused traffic at the measured bandwidth. Half precisions halve the
        traffic.
        """
        counts = self.counts
        bytes_ = counts.fused_bytes * (0.5 if precision in ("bf16", "fp16") else 1.0)
        needed_s = max(
            sum(counts.operations.values()) / self.product_rates[precision],
            bytes_ / self.copy_bytes_per_s,
        )
        return counts.stride_s / needed_s


@dataclass(frozen=True)
class Separation:
    """Separation of one song in memory.

    Attributes:
        model: model whose shape the networks have.
        limit: limits of the device; None where they were not measured.
        runs: engines in turn, on the same weights and song.
        ratios: this engine against the others.
        sweeps: runs of each value of a varied setting.
        not_run: reason for each engine or setting that could not run.
    """

    taken: Taken
    model: str
    random_weights: bool
    limit: Limit | None
    runs: tuple[Run, ...]
    ratios: tuple[Ratio, ...] = ()
    sweeps: dict[str, tuple[Run, ...]] = field(default_factory=dict)
    not_run: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Staged:
    """Job of several stages, with the median time of each: an analysis or a mashup.

    Attributes:
        processor_s: median time of all cores in each stage. While a mix is mastered and encoded,
            its stems are checked.
        renderings: how often a mashup was rendered until its measurements were met, or given up.
    """

    taken: Taken
    run: Run
    stages_s: dict[str, float]
    processor_s: dict[str, float] = field(default_factory=dict)
    renderings: int = 1

    def processor_shares(self) -> dict[str, float]:
        """Return the share of each stage in the time of all cores."""
        total_s = sum(self.processor_s.values())
        return {stage: seconds / total_s for stage, seconds in self.processor_s.items() if total_s}


@dataclass(frozen=True)
class Stage:
    """Stage of a pipeline with several songs in flight.

    Attributes:
        busy_share: for decoding and encoding, the share of the time of all songs in flight; for the
            device, the share of the time in which it was busy; for the processor, the share of the
            time of all cores.
        times_real_time: speed that the stage would have if it were always busy.
    """

    busy_share: float
    times_real_time: float


@dataclass(frozen=True, kw_only=True)
class InFlight:
    """Pipeline with a number of songs in flight.

    Attributes:
        stages: decode, device, encode, and the processor if the device is another.
        bottleneck: stage with the largest share.
    """

    songs: int
    run: Run
    stages: dict[str, Stage]
    bottleneck: str


@dataclass(frozen=True)
class Pipeline:
    """Pipeline from files to stems on disk, with several numbers of songs in flight."""

    taken: Taken
    model: str
    random_weights: bool
    in_flight: tuple[InFlight, ...]

    @property
    def best(self) -> InFlight:
        """The fastest result."""
        return max(self.in_flight, key=lambda one: one.run.times_real_time)


@dataclass(frozen=True)
class ProcessCount:
    """Number of worker processes that share the device, and their speed and memory together.

    Attributes:
        processes: number of processes.
        run: songs of all processes in the time from the first start to the last end; None if a
            process failed.
        failures: reason of each process that failed or ran out of memory.
    """

    processes: int
    run: Run | None
    failures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Processes:
    """Worker processes that share the device, from files to stems on disk, in several numbers.

    After a number with failures, no larger one was measured.
    """

    taken: Taken
    model: str
    random_weights: bool
    counts: tuple[ProcessCount, ...]


@dataclass(frozen=True)
class Results:
    """All measurements of one device."""

    machine: Machine
    separation: Separation | None = None
    analyze: Staged | None = None
    mashup: Staged | None = None
    pipeline: Pipeline | None = None
    processes: Processes | None = None
    schema: int = SCHEMA

    def over(self, before: Results | None) -> Results:
        """Return these results, completed by sections of `before` from the same machine."""
        if before is None or not before.machine.is_like(self.machine):
            return self
        separation = self.separation or before.separation
        if separation and before.separation and separation.model == before.separation.model:
            separation = replace(separation, limit=separation.limit or before.separation.limit)
        return replace(
            self,
            separation=separation,
            analyze=self.analyze or before.analyze,
            mashup=self.mashup or before.mashup,
            pipeline=self.pipeline or before.pipeline,
            processes=self.processes or before.processes,
        )
