"""The steps in order of worth: which command each runs, and how long it may take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks.gpu.aims import LEAST_SNR_DB
from benchmarks.gpu.packages import PEER, is_importable
from benchmarks.gpu.processes import ROOT
from mashup_worker.bench.engines import OURS

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.gpu.scale import Scale
    from mashup_worker.bench.results import Results, Run


@dataclass(frozen=True)
class Step:
    """One command in a process of its own.

    Attributes:
        name: shown in the summary.
        module: what `python -m` runs.
        arguments: for it.
        limit_s: when it is stopped.
        least_s: with less time left than this it is not started.
        writes: whether it is a `mashup bench`, which takes a folder for its document.
        fastest: whether it takes the options of the fastest of our runs so far.
        unless_beside: a peer; if a ratio to it is known already, the step is not needed.
        skipped: why it can't be run here; None where it can.
        exit_codes: those that mean that it has done its work.
    """

    name: str
    module: str
    arguments: tuple[str, ...]
    limit_s: float
    least_s: float
    writes: bool = True
    fastest: bool = False
    unless_beside: str | None = None
    skipped: str | None = None
    exit_codes: tuple[int, ...] = (0,)

    def command(self, folder: Path, so_far: Results | None) -> list[str]:
        """Return the arguments, with the folder of its document where it writes one."""
        options = list(self.arguments)
        if self.fastest:
            options += _fastest_options(so_far)
        return [*options, "--output-dir", str(folder)] if self.writes else options


def gpu_tests() -> tuple[str, ...]:
    """Return the files that hold tests marked `gpu`: others may need packages that are missing."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    return tuple(
        path.relative_to(ROOT).as_posix()
        for path in files
        if "pytest.mark.gpu" in path.read_text(encoding="utf-8")
    )


def steps(scale: Scale, junit: Path) -> list[Step]:
    """Return all steps, the most useful first."""
    each = ("--device", scale.device)
    separation = ("bench", "separation", *each, *scale.model, "--seconds", f"{scale.song_s:g}")
    separation += ("--rounds", str(scale.rounds))
    pipeline = ("bench", "pipeline", *each, *scale.model, "--seconds", f"{scale.song_s:g}")
    pipeline += ("--songs", str(scale.songs))
    processes = ("bench", "processes", *each, *scale.model, "--seconds", f"{scale.song_s:g}")
    processes += ("--processes", ",".join(map(str, scale.processes)))
    staged = (*each, "--rounds", str(scale.rounds), "--seconds")
    tests = ("-m", "gpu", "-v", "--tb", "short", "--junitxml", str(junit), *_TEST_OPTIONS)
    stock, quick = ("--against", "demucs"), "--no-limit"
    beside = ("--against", PEER) if is_importable(PEER) else ()
    unblend = None if is_importable(PEER) else f"{PEER} is not installed here"
    pytest = None if is_importable("pytest") else "pytest is not installed here"
    every = [
        Step("doctor", _MASHUP, ("doctor", "--json"), 60, 5, writes=False, exit_codes=(0, 3)),
        Step(
            "gpu tests",
            "pytest",
            (*tests, *scale.test_options, *scale.tests),
            *(120, 20),
            writes=False,
            skipped=pytest,
        ),
        Step("separation", _MASHUP, (*separation, *stock), 120, 30),
        Step(
            "separation fp16", _MASHUP, (*separation, quick, *stock, "--precision", "fp16"), 90, 25
        ),
        Step(
            "pipeline",
            _MASHUP,
            (*pipeline, "--in-flight", str(scale.in_flight), "--rounds", "2"),
            *(120, 30),
        ),
        Step("analysis", _MASHUP, ("bench", "analyze", *staged, f"{scale.song_s:g}"), 60, 15),
        Step(
            "mashup",
            _MASHUP,
            ("bench", "mashup", *staged, f"{scale.mashup_s:g}", "--format", "flac"),
            *(90, 20),
        ),
        Step("compiled", _MASHUP, (*separation, quick, "--compile", *beside), 180, 40),
        Step(
            "unblend",
            _MASHUP,
            (*separation, quick, "--against", PEER),
            *(150, 45),
            fastest=True,
            unless_beside=PEER,
            skipped=unblend,
        ),
        Step("batch sweep", _MASHUP, (*separation, quick, "--sweep", "batch"), 120, 30),
        Step(
            "in-flight sweep",
            _MASHUP,
            (*pipeline, "--sweep", "in-flight", "--rounds", "1"),
            240,
            45,
        ),
        Step("process sweep", _MASHUP, (*processes, "--songs", str(scale.songs_each)), 240, 60),
    ]
    return [replace(step, limit_s=scale.patience * step.limit_s) for step in every]


_MASHUP = "mashup_worker"

_TEST_OPTIONS = (
    "--continue-on-collection-errors",
    *("-p", "no:cacheprovider"),
    *("-W", "ignore::DeprecationWarning"),  # of libraries in other versions than the pinned ones
    *("-o", "faulthandler_timeout=60"),
)


def _fastest_options(so_far: Results | None) -> list[str]:
    """Return precision and compilation of our fastest run that is close enough to fp32."""
    made = so_far.separation if so_far else None
    ours = [run for run in (made.runs if made else ()) if _counts(run)]
    if not ours:
        return []
    best = max(ours, key=lambda run: run.times_real_time)
    return ["--precision", str(best.precision), *(["--compile"] if best.compiled else [])]


def _counts(run: Run) -> bool:
    is_close = run.snr_db is None or run.snr_db >= LEAST_SNR_DB
    return run.label.startswith(OURS) and is_close
