"""Write docs/performance.md from the documents of `mashup bench` and the studio's tables.

python -m benchmarks.performance_page
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.gpu.aims import LEAST_SNR_DB, MASHUP_S, TIMES_STOCK, TIMES_UNBLEND
from benchmarks.results import FOLDER, table
from mashup_worker.bench.documents import read
from mashup_worker.bench.pipeline import AIM_TIMES_REAL_TIME
from mashup_worker.bench.text import (
    decibels,
    first_engine,
    process_cells,
    processor_time,
    run_cells,
    significant,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mashup_worker.bench.results import (
        Limit,
        Pipeline,
        Processes,
        Ratio,
        Results,
        Run,
        Separation,
        Staged,
        Taken,
    )

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"

HEAD = """\
# Performance

Speed of separation compared with Demucs, with the fastest other implementation, and with the limit
of the hardware. `python -m benchmarks.performance_page` generates this page from the documents of
`mashup bench` in [benchmarks/results](../benchmarks/results); every section names the command that
measured it.

- Engines run alternately in one process, with the same weights and song. A ratio is the median of
  the ratios of consecutive rounds.
- The device is synchronized before each reading of the clock. All measurements follow a warm-up.
- Audio starts and ends in host memory. Our engine copies it once in each direction through pinned
  memory, as in the pipeline; other engines use their own copies.
- SNR compares the result with that of our engine in fp32.
- Random weights are used where a table says so. Speed, memory and numerical error depend on the
  shape of a network and not on its training.
- *Busy* is the process's share of the time of all cores on a CPU, and the share of time in which
  kernels run, according to the profiler, on CUDA."""

COUNTED = """\
## Operations of a segment

Counted while the reference network runs one segment in fp32 with a batch of 1
(`mashup_worker/bench/counting.py`). A multiplication and an addition are two operations; attention
counts in full, with any kernel. *Eager* bytes are read and written by all operators. *Fused* bytes
are read and written by products, convolutions and transforms, as if all other operators were fused
into them."""

LIMIT = """\
The limit follows the roofline model (Williams, Waterman and Patterson 2009): the longer of the time
for all operations at the rate of a large matrix product, and the time for all fused bytes at the
rate of a large copy. Both rates are measured on this machine in the same run. The limit cannot be
reached, because it excludes launch costs and elementwise operations, and because the convolutions
of the outer layers are too narrow for matrix units."""

NO_CUDA = f"""\
## NVIDIA GPUs

No GPU has been measured yet. One command tests and measures a GPU in ten minutes, and updates this
page:

```sh
make gpu
```

The comparison with unblend needs `pip install --no-deps unblend==1.0.0` and
`pip install httpx filelock`. The aims for one GPU of the H200's class:

| measured | aim |
| --- | --- |
| a song of four minutes, beside stock demucs (fp32, batch 1) | {TIMES_STOCK:g} times as fast, at \
{LEAST_SNR_DB:g} dB to fp32 |
| the same, beside unblend 1.0.0 (fp16, compiled) on the same weights | {TIMES_UNBLEND:g} times as \
fast |
| FLAC files to four FLAC stems each | {AIM_TIMES_REAL_TIME:,.0f} times real time |
| a mashup of four ready stems of three minutes, to FLAC | {MASHUP_S:g} s |"""

PEERS = """\
## Other engines

| engine | run here | how |
|---|---|---|
| `demucs` 4.1.0 | yes | `apply_model(shifts=0)` on the whole bag, as `demucs.api` calls it |
| `unblend` 1.0.0 | yes | its `Separator` and HTDemucs with our weights; compiled in fp16 on \
CUDA, fp32 on a CPU, its only precision there. It requires torch 2.13 and ran with 2.11 |
| `demucs-infer` 4.4.0 | yes | a fork for inference, with the networks and schedule of demucs |
| `audio-separator` 0.47.1 | no | it contains a copy of demucs' networks and of `apply_model`, and \
accepts downloaded weights only |
| `torchaudio` HDEMUCS | no | another network, the predecessor of htdemucs, with weights that must \
be downloaded |
| hosted services | no | they cannot run here |"""

API = """\
## HTTP API

One process of `mashup api` with Postgres, Valkey and S3, a worker that separates songs, and the
clients of the benchmark, all on the same two cores."""

ARCHITECTURES = """\
## Other architectures

One segment by each network of `models/`, with its published shape and random weights, in turn with
`pymss-core` in one process on a CPU. *Times* is the ratio of processor time. Half precision is
compared in SNR on music. More than half of SCNet's time is that of its LSTMs, which both run by the
same library."""

NETWORK_MEMORY = """\
### Memory

Networks of the published segments and transforms, but few layers, so that other memory shows. The
song and each of its stems stay in memory up to 256 MiB, 12 minutes of stereo, and go to the disk
beyond: that is most of what 10 minutes take above 2."""

STUDIO = """\
## Studio

The page of `mashup api` in Debian's Chromium, over loopback. Aims: the first paint within 1 s and
after less than 150 kB of script, and layout shifts below 0.1; sound within 1.5 s of pressing play,
and less than 150 MB of memory above that of the page. `tests/browser` checks scripts and shifts."""

LEFT = """\
## Open optimizations

- The difference between eager and fused bytes is memory traffic of normalizations, activations and
  layer scales, which a compiler or custom kernels could remove.
- Half precisions keep transforms, statistics and sums in fp32, which limits their gain.
- The last segment of a song is computed although the one before covers it, because the reference
  does so and its output depends on it."""


def page(results: Sequence[Results]) -> str:
    """Return the page for the documents of all devices."""
    parts = [HEAD, *_summary(results), *_counts(results)]
    for one in results:
        parts += _device(one)
    if not any(one.machine.kind == "cuda" for one in results):
        parts.append(NO_CUDA)
    return "\n\n".join([*parts, PEERS, *_architectures(), *_services(), LEFT]) + "\n"


def documents(folder: Path = FOLDER) -> list[Results]:
    """Return the documents of all devices, GPUs first."""
    found = [read(path) for path in sorted(folder.glob("*.json"))]
    return sorted((one for one in found if one), key=lambda one: one.machine.kind != "cuda")


def _summary(results: Sequence[Results]) -> Iterator[str]:
    rows = [row for one in results for row in _summary_rows(one)]
    headings = ("device", "precision", "x real time", *(f"x {name}" for name in _PEER_NAMES))
    headings = (*headings, "SNR to fp32", "files to files, x real time", "mashup of 3 min")
    if rows:
        yield table(headings, rows)


def _summary_rows(one: Results) -> Iterator[tuple[str, ...]]:
    """Yield a row for each setting of our engine; the first row also has the other jobs."""
    made = one.separation
    if made is None:
        return
    pipeline = significant(one.pipeline.best.run.times_real_time) if one.pipeline else "-"
    mashup = f"{significant(one.mashup.run.p50_s)} s" if one.mashup else "-"
    for run in made.runs:
        if run.label != made.runs[0].label:
            continue
        ratios = {
            ratio.against.partition(" ")[0]: ratio.ratio
            for ratio in made.ratios
            if _is_of(ratio, run)
        }
        yield (
            f"{one.machine.device}, {one.machine.cores} cores",
            f"{run.precision}{' compiled' if run.compiled else ''}",
            significant(run.times_real_time),
            *(f"{ratios[name]:.2f}" if name in ratios else "-" for name in _PEER_NAMES),
            decibels(run.snr_db),
            *(pipeline, mashup),
        )
        pipeline = mashup = ""


def _is_of(ratio: Ratio, run: Run) -> bool:
    """Return whether a ratio is a run's; older ratios do not name their arithmetic."""
    return ratio.precision is None or (ratio.precision, ratio.compiled) == (
        run.precision,
        run.compiled,
    )


_PEER_NAMES = ("demucs", "unblend")


def _counts(results: Sequence[Results]) -> Iterator[str]:
    made = next(
        (one.separation for one in results if one.separation and one.separation.limit), None
    )
    if made is None or made.limit is None:
        return
    counts = made.limit.counts
    rows = [(kind, f"{number / 1e9:.1f}") for kind, number in counts.operations.items()]
    rows.append(("together", f"{sum(counts.operations.values()) / 1e9:.1f}"))
    yield COUNTED
    yield (
        f"A segment of {made.model} lasts {counts.segment_s:g} s; the next begins "
        f"{counts.stride_s:g} s after it:"
    )
    yield table(("operations", "billions"), rows)
    yield table(
        ("bytes", "millions"),
        [
            ("weights", f"{counts.weight_bytes / 1e6:.0f}"),
            ("read and written, fused", f"{counts.fused_bytes / 1e6:.0f}"),
            ("read and written, eager", f"{counts.eager_bytes / 1e6:.0f}"),
        ],
    )


def _device(one: Results) -> Iterator[str]:
    machine = one.machine
    yield f"## {machine.device}"
    facts = [f"{machine.cores} cores"]
    if machine.kind != "cpu":
        facts.insert(0, f"with {machine.processor}")
    if machine.device_memory_bytes:
        facts.append(f"{machine.device_memory_bytes / 1e9:.0f} GB on the device")
    if machine.memory_bytes:
        facts.append(f"{machine.memory_bytes / 1e9:.0f} GB of memory")
    if machine.driver:
        facts.append(f"driver {machine.driver}")
    yield ", ".join(facts) + "."
    if one.separation:
        yield from _separation(one.separation)
    if one.pipeline:
        yield from _pipeline(one.pipeline)
    for name, staged in (("Analysis", one.analyze), ("Mashup", one.mashup)):
        if staged:
            yield from _staged(name, staged)
    if one.processes:
        yield from _processes(one.processes)


def _separation(made: Separation) -> Iterator[str]:
    learnt = "random weights of its shape" if made.random_weights else "its own weights"
    yield "### Separation"
    yield f"A song of {made.runs[0].track_s:g} s in memory; {made.model} with {learnt}."
    yield _taken(made.taken)
    yield _runs(made.runs)
    if made.ratios:
        by_first: dict[str, list[str]] = {}
        for one in made.ratios:
            named = f"{one.ratio:.2f} times as fast as {one.against}"
            by_first.setdefault(first_engine(one), []).append(named)
        yield " ".join(f"{first} is {' and '.join(all_)}." for first, all_ in by_first.items())
    for name, reason in made.not_run.items():
        yield f"Not run: {name}: {reason}."
    for name, runs in made.sweeps.items():
        yield f"With the {name} varied:" if name != "compile" else "With and without compiling:"
        yield _runs(runs)
    if made.limit:
        yield "### Against the limit"
        yield LIMIT
        yield _ceilings(made, made.limit)


def _ceilings(made: Separation, limit: Limit) -> str:
    every = [*made.runs, *(run for runs in made.sweeps.values() for run in runs)]
    rows = []
    for precision, rate in limit.product_rates.items():
        best = limit.times_real_time(precision)
        by_engine: dict[str, float] = {}
        for run in every:
            if run.precision == precision:
                so_far = by_engine.get(run.label, 0.0)
                by_engine[run.label] = max(so_far, run.times_real_time)
        reached = [f"{label}: {speed / best:.0%}" for label, speed in by_engine.items()]
        rows.append((precision, f"{rate / 1e12:.2f}", significant(best), ", ".join(reached) or "-"))
    text = table(("precision", "products, Tflop/s", "limit, x real time", "reached"), rows)
    text += f"\n\nA copy moves {limit.copy_bytes_per_s / 1e9:.0f} GB/s, read and written together."
    if limit.to_device_bytes_per_s and limit.from_device_bytes_per_s:
        text += (
            f" The bus moves {limit.to_device_bytes_per_s / 1e9:.0f} GB/s to the device and "
            f"{limit.from_device_bytes_per_s / 1e9:.0f} GB/s back, from and to pinned memory."
        )
    return text


def _pipeline(made: Pipeline) -> Iterator[str]:
    best = made.best
    work = best.run
    yield "### Files to files"
    yield (
        f"{work.tracks} FLAC files of {work.track_s:g} s in, four FLAC stems each on disk out, one "
        f"process. With {best.songs} in flight the bottleneck is **{best.bottleneck}**: "
        f"{significant(work.times_real_time)} times real time. The aim for one GPU of the H200's "
        f"class is {AIM_TIMES_REAL_TIME:,.0f}."
    )
    yield _taken(made.taken)
    yield _runs(
        [one.run for one in made.in_flight], [f"{one.songs} in flight" for one in made.in_flight]
    )
    rows = [
        (name, f"{one.busy_share:.1%}", significant(one.times_real_time))
        for name, one in best.stages.items()
    ]
    yield table(("stage", "busy", "x real time at most"), rows)


def _staged(name: str, made: Staged) -> Iterator[str]:
    stages = ", ".join(f"{stage} {significant(s)} s" for stage, s in made.stages_s.items())
    what = made.run.label[:1].upper() + made.run.label[1:]
    yield f"### {name}"
    yield (
        f"{what} of {made.run.track_s:g} s, in a warm process: {significant(made.run.p50_s)} s "
        f"({significant(made.run.times_real_time)} times real time; 95th percentile "
        f"{significant(made.run.p95_s)} s). Stages: {stages}."
    )
    if made.processor_s:
        yield processor_time(made)
    yield _taken(made.taken)


def _processes(made: Processes) -> Iterator[str]:
    songs = next((f" of {one.run.track_s:g} s" for one in made.counts if one.run), "")
    yield "### Worker processes"
    yield (
        f"Processes that share the device. Each separates FLAC files{songs} of its own, one at a "
        "time, into four FLAC stems each. Measured from the first start to the last end, when all "
        "have loaded the networks and separated a song; memory is that of all processes."
    )
    yield _taken(made.taken)
    yield _cells([process_cells(one) for one in made.counts])


def _runs(runs: Sequence[Run], labels: Sequence[str] | None = None) -> str:
    cells = [run_cells(run) for run in runs]
    for cell, label in zip(cells, labels or (), strict=False):
        cell["engine"] = label
    return _cells(cells)


def _cells(cells: Sequence[dict[str, str]]) -> str:
    """Return the table of these cells; empty columns are omitted."""
    kept = [name for name in cells[0] if any(cell[name] for cell in cells)]
    return table(kept, [[cell[name] for name in kept] for cell in cells])


def _architectures() -> Iterator[str]:
    """Yield the section of other architectures, with the tables of its benchmarks."""
    yield from (ARCHITECTURES, _published("architectures"))
    yield from (NETWORK_MEMORY, _published("network_memory"))


def _services() -> Iterator[str]:
    """Yield the sections of the API and the studio, with the tables of their benchmarks."""
    yield from (API, _published("api_load"))
    yield from (STUDIO, "### Loading", _published("studio"))
    yield from ("### Playing", _published("player"))


def _published(name: str) -> str:
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8").strip()


def _taken(taken: Taken) -> str:
    with_ = ", ".join(f"{name} {version}" for name, version in taken.versions.items())
    return f"`{taken.command}`, {taken.date}, {with_}."


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(documents()), encoding="utf-8")


if __name__ == "__main__":
    main()
