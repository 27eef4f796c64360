"""What was measured, as data: one document a device, section by section.

A run of `mashup bench` replaces the sections that it measured and leaves the others as they were,
so each section says by which command, when and with which versions it was taken.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mashup_worker.bench.machine import Machine  # noqa: TC001 - pydantic reads it
from mashup_worker.bench.measure import percentile

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMA = 2


@dataclass(frozen=True)
class Taken:
    """How a section came to be.

    Attributes:
        command: what was run, without paths.
        date: the day, ISO 8601, in UTC.
        versions: of Python and of the packages that matter.
    """

    command: str
    date: str
    versions: dict[str, str]


@dataclass(frozen=True)
class Run:
    """One way to do the work, measured over some rounds.

    Attributes:
        label: what did it.
        precision: arithmetic of the networks; None where there are none.
        batch: segments run at once; None where the engine chooses.
        compiled: whether `torch.compile` made the core.
        tracks: songs done in a round.
        track_s: length of each song in seconds.
        rounds_s: wall time of each round, the device synchronised on both sides.
        p50_s: their median.
        p95_s: their 95th percentile.
        times_real_time: seconds of song a second, in the median round.
        tracks_per_hour: songs an hour, at that pace.
        cost_per_track: at the price that was given; None without one.
        peak_host_bytes: resident memory of the whole process, whatever else it held.
        peak_device_bytes: reserved on the device, weights and recorded graphs included; None on a
            CPU.
        busy_share: share of the time in which the device worked; None where it can't be told.
        snr_db: the result against the same engine in fp32; None where both are equal, or where
            there is no such thing.
        note: what a reader should know.
    """

    label: str
    precision: str | None
    batch: int | None
    compiled: bool
    tracks: int
    track_s: float
    rounds_s: tuple[float, ...]
    p50_s: float
    p95_s: float
    times_real_time: float
    tracks_per_hour: float
    cost_per_track: float | None
    peak_host_bytes: int
    peak_device_bytes: int | None
    busy_share: float | None
    snr_db: float | None
    note: str | None = None


@dataclass(frozen=True)
class Work:
    """What a round does, and what an hour of the machine costs.

    Attributes:
        tracks: songs in a round.
        track_s: length of each.
        price_per_hour: money; None for unknown.
    """

    tracks: int
    track_s: float
    price_per_hour: float | None = None

    def run(
        self,
        label: str,
        rounds_s: Sequence[float],
        *,
        host_bytes: int,
        precision: str | None = None,
        batch: int | None = None,
        compiled: bool = False,
        device_bytes: int | None = None,
        busy_share: float | None = None,
        snr_db: float | None = None,
        note: str | None = None,
    ) -> Run:
        """The run that these rounds make."""
        p50_s = statistics.median(rounds_s)
        per_hour = 3600 * self.tracks / p50_s
        price = self.price_per_hour
        return Run(
            label=label,
            precision=precision,
            batch=batch,
            compiled=compiled,
            tracks=self.tracks,
            track_s=self.track_s,
            rounds_s=tuple(round(seconds, 4) for seconds in rounds_s),
            p50_s=round(p50_s, 4),
            p95_s=round(percentile(rounds_s, 95), 4),
            times_real_time=round(self.tracks * self.track_s / p50_s, 3),
            tracks_per_hour=round(per_hour, 1),
            cost_per_track=None if price is None else price / per_hour,
            peak_host_bytes=host_bytes,
            peak_device_bytes=device_bytes,
            busy_share=None if busy_share is None else round(busy_share, 3),
            snr_db=None if snr_db is None else round(snr_db, 1),
            note=note,
        )


@dataclass(frozen=True)
class Ratio:
    """How much faster one engine is than another.

    Attributes:
        label: the first engine.
        against: the other.
        ratio: seconds of the other over seconds of the first, median of paired rounds.
        precision: arithmetic of the first engine.
        compiled: whether `torch.compile` made its core.
        snr_db: as its run's; None where the result equals that in fp32.
    """

    label: str
    against: str
    ratio: float
    precision: str | None = None
    compiled: bool = False
    snr_db: float | None = None

    @classmethod
    def of(cls, first: Run, other: Run, ratio: float) -> Ratio:
        """The ratio of two runs whose rounds were paired."""
        return cls(first.label, other.label, ratio, first.precision, first.compiled, first.snr_db)


@dataclass(frozen=True)
class Counts:
    """What one segment asks of a device, counted on the reference network in fp32.

    Attributes:
        segment_s: seconds that the network sees.
        stride_s: seconds of song that each further segment adds.
        operations: floating-point operations by kind, a multiplication and an addition as two.
        weight_bytes: of the networks.
        fused_bytes: read and written if only products, convolutions and transforms touch memory.
        eager_bytes: read and written if every operator does.
    """

    segment_s: float
    stride_s: float
    operations: dict[str, float]
    weight_bytes: int
    fused_bytes: int
    eager_bytes: int


@dataclass(frozen=True)
class Limit:
    """What the device can do, measured, beside what the work asks of it.

    Attributes:
        counts: what a segment asks.
        product_rates: operations a second of large matrix products, by precision.
        copy_bytes_per_s: bytes read plus bytes written by a copy within the device's memory.
        to_device_bytes_per_s: from pinned host memory; None on a CPU.
        from_device_bytes_per_s: to it.
    """

    counts: Counts
    product_rates: dict[str, float]
    copy_bytes_per_s: float
    to_device_bytes_per_s: float | None = None
    from_device_bytes_per_s: float | None = None

    def times_real_time(self, precision: str) -> float:
        """No schedule of this network is faster on this device, with this arithmetic.

        The roofline of Williams, Waterman and Patterson (2009): the slower of products at the
        measured rate and fused traffic at the measured bandwidth. Half precisions move half the
        bytes.
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
    """Separating one song that is in memory.

    Attributes:
        model: whose shape the networks have.
        random_weights: whether that is all they have of it.
        limit: what the device could do at best; None where it was not measured.
        runs: engines in turn, on the same weights and the same song.
        ratios: ours against the others.
        sweeps: by what was varied, the engine with each value of it.
        not_run: by name, why an engine or a setting could not be run.
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
    """A job of several stages, such as an analysis or a mashup.

    Attributes:
        run: the whole of it.
        stages_s: seconds of each stage, in the median of the rounds.
    """

    taken: Taken
    run: Run
    stages_s: dict[str, float]


@dataclass(frozen=True)
class Stage:
    """One of the stages that songs of a pipeline are in at the same time.

    Attributes:
        busy_share: of decoding and encoding, the share of the time of all songs in flight; of the
            device, the share of the time in which it worked; of the processor, that of all cores'
            time.
        times_real_time: what it could do if it were busy all the time.
    """

    busy_share: float
    times_real_time: float


@dataclass(frozen=True)
class InFlight:
    """A pipeline with so many songs in flight.

    Attributes:
        songs: how many.
        stages: decode, device, encode, and the processor where the device is another.
        bottleneck: the stage that was busy for the largest share of the time.
    """

    songs: int
    run: Run
    stages: dict[str, Stage]
    bottleneck: str


@dataclass(frozen=True)
class Pipeline:
    """Files in, stems on disk out.

    Attributes:
        model: whose shape the networks have.
        random_weights: whether that is all they have of it.
        in_flight: the pipeline with some numbers of songs in flight.
    """

    taken: Taken
    model: str
    random_weights: bool
    in_flight: tuple[InFlight, ...]

    @property
    def best(self) -> InFlight:
        """The fastest."""
        return max(self.in_flight, key=lambda one: one.run.times_real_time)


@dataclass(frozen=True)
class Results:
    """All that is known of one device."""

    machine: Machine
    separation: Separation | None = None
    analyze: Staged | None = None
    mashup: Staged | None = None
    pipeline: Pipeline | None = None
    schema: int = SCHEMA

    def over(self, before: Results | None) -> Results:
        """These results, and from `before`, of the same machine, the sections that they lack."""
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
        )
