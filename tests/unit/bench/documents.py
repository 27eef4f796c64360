"""A document with a measurement of every kind."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mashup_worker.bench.machine import Machine
from mashup_worker.bench.results import (
    Counts,
    InFlight,
    Limit,
    Pipeline,
    ProcessCount,
    Processes,
    Ratio,
    Results,
    Separation,
    Stage,
    Staged,
    Taken,
    Work,
)

if TYPE_CHECKING:
    from mashup_worker.bench.results import Run

MACHINE = Machine("Some(R) CPU @ 2 GHz", "cpu", None, None, "Some(R) CPU @ 2 GHz", 2, 8 << 30)
TAKEN = Taken("mashup bench", "2026-01-01", {"torch": "2"})


def a_run(label: str, seconds: float, batch: int | None = None) -> Run:
    work = Work(tracks=1, track_s=60, price_per_hour=2.0)
    return work.run(
        label,
        [seconds, 2 * seconds, seconds],
        peak_host_bytes=2 << 30,
        precision="bf16",
        batch=batch,
        snr_db=47.123,
    )


def full() -> Results:
    counts = Counts(
        segment_s=7.8,
        stride_s=5.85,
        operations={"products": 1e9},
        weight_bytes=1000,
        fused_bytes=2000,
        eager_bytes=3000,
    )
    separation = Separation(
        TAKEN,
        "htdemucs",
        random_weights=True,
        limit=Limit(counts, {"fp32": 1e12}, 1e10),
        runs=(a_run("ours", 10), a_run("theirs", 20)),
        ratios=(Ratio("ours", "theirs", 2.0),),
        sweeps={"batch": (a_run("ours", 10, 1), a_run("ours", 12, 2))},
        not_run={"unblend": "not here"},
    )
    stage = Stage(0.5, 30.0)
    in_flight = [
        InFlight(
            songs=songs,
            run=a_run("ours", 10 / songs),
            stages={"decode": stage, "device": stage},
            bottleneck="device",
        )
        for songs in (1, 2)
    ]
    staged = Staged(TAKEN, a_run("analysis", 1), {"measure": 0.5})
    pipeline = Pipeline(TAKEN, "htdemucs", random_weights=True, in_flight=tuple(in_flight))
    processes = Processes(
        TAKEN,
        "htdemucs",
        random_weights=True,
        counts=(ProcessCount(1, a_run("ours", 10)), ProcessCount(2, None, ("too little memory",))),
    )
    return Results(
        machine=MACHINE,
        separation=separation,
        analyze=staged,
        mashup=replace(staged, processor_s={"read": 3.0, "stretch": 9.0}, renderings=2),
        pipeline=pipeline,
        processes=processes,
    )
