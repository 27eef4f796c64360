"""Text of measurements, for the terminal and for the documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mashup_worker.bench.results import ProcessCount, Ratio, Run, Staged


def run_cells(run: Run) -> dict[str, str]:
    """Return the cells of a run by column; empty where a value was not measured."""
    many = run.tracks > 1
    return {
        "engine": run.label,
        "precision": (run.precision or "") + (" compiled" if run.compiled else ""),
        "batch": "" if run.precision is None else str(run.batch or "auto"),
        "p50 s": significant(run.p50_s),
        "p95 s": significant(run.p95_s),
        "x real time": significant(run.times_real_time),
        "tracks/h": f"{run.tracks_per_hour:,.0f}",
        "cost/track": "" if run.cost_per_track is None else f"{run.cost_per_track:.2g}",
        "device GB": gigabytes(run.peak_device_bytes),
        "host GB": gigabytes(run.peak_host_bytes),
        "busy": "" if run.busy_share is None else f"{run.busy_share:.0%}",
        "SNR to fp32": "" if run.precision is None or many else decibels(run.snr_db),
    }


def process_cells(one: ProcessCount) -> dict[str, str]:
    """Return the cells of worker processes by column; empty where a value was not measured."""
    cells = {**run_cells(one.run), "songs": str(one.run.tracks)} if one.run else {}
    return {
        "processes": str(one.processes),
        **{name: cells.get(name, "") for name in _OF_PROCESSES},
        "failures": failures(one),
    }


def processor_time(made: Staged) -> str:
    """Return the time of all cores with the share of each stage; empty where it is not measured."""
    if not made.processor_s:
        return ""
    total_s = sum(made.processor_s.values())
    shares = ", ".join(f"{stage} {share:.0%}" for stage, share in made.processor_shares().items())
    times = significant(made.run.track_s / total_s)
    often = "once" if made.renderings == 1 else f"{made.renderings} times"
    return (
        f"{significant(total_s)} s of processor time ({times} times real time on a core), "
        f"rendered {often}: {shares}."
    )


_OF_PROCESSES = (
    *("songs", "precision", "batch", "p50 s", "x real time", "tracks/h", "cost/track"),
    *("device GB", "host GB"),
)


def failures(one: ProcessCount) -> str:
    """Return how many of the processes failed, and the reasons; empty if none failed."""
    reasons = "; ".join(dict.fromkeys(one.failures))
    return f"{len(one.failures)} of {one.processes}: {reasons}" if reasons else ""


def reason(error: Exception) -> str:
    """Return the first line of the message of an error, or its class."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def first_engine(ratio: Ratio) -> str:
    """Return the name of the first engine of a ratio, with its arithmetic."""
    compiled = ", compiled" if ratio.compiled else ""
    return ratio.label + (f" in {ratio.precision}" if ratio.precision else "") + compiled


def decibels(snr_db: float | None) -> str:
    """Return a ratio in decibels, or that both are equal."""
    return "equal" if snr_db is None else f"{snr_db:.0f} dB"


def gigabytes(bytes_: int | None) -> str:
    """Return bytes in units of 10^9."""
    return "" if bytes_ is None else f"{bytes_ / 1e9:.2f}"


def significant(value: float) -> str:
    """Return three significant digits, without exponents."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.4f}"
