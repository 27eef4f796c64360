"""`mashup bench`, as installed."""

from __future__ import annotations

import importlib.util
import json
import signal
import socket
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.command import Mashup

SHORT = ("--seconds", "2", "--rounds", "2", "--device", "cpu")


def model(repository: Path) -> tuple[str, ...]:
    return ("--model", "htdemucs", "--model-repo", str(repository))


def test_the_document_is_printed_and_written(mashup: Mashup, repository: Path) -> None:
    options = (*SHORT, *model(repository), "--against", "demucs", "--gpu-price", "3.6")
    done = mashup.run("bench", *options, "--json", "--plot", "-o", "results")
    assert (done.returncode, done.stderr) == (0, "")
    files = mashup.files("results")
    name = next(file for file in files if file.endswith(".json"))
    assert files == {name, name.replace(".json", ".png")}
    assert (mashup.folder / "results" / name).read_text() == done.stdout
    document = json.loads(done.stdout)
    made = document["separation"]
    assert [run["label"].split()[0] for run in made["runs"]] == ["mashup-worker", "demucs"]
    assert made["taken"]["command"] == (
        "mashup bench --against demucs --model htdemucs --model-repo <folder> --device cpu "
        "--seconds 2.0 --rounds 2 --gpu-price 3.6 --output-dir <folder> --json --plot"
    )
    assert all(run["cost_per_track"] == pytest.approx(run["p50_s"] / 1000, rel=0.01)
               for run in made["runs"])  # fmt: skip
    assert not made["random_weights"]
    for secret in (str(mashup.folder), str(repository), socket.gethostname()):
        assert secret not in done.stdout


def test_sections_join_in_one_document(mashup: Mashup, repository: Path) -> None:
    for what in ("analyze", "pipeline"):
        options = ("--songs", "2", *model(repository), "-o", "joined")
        done = mashup.run("bench", what, *SHORT, *options)
        assert done.returncode == 0, done.stderr
    assert "bottleneck: " in done.stdout
    assert "this takes about" in done.stderr
    (name,) = mashup.files("joined")
    document = json.loads((mashup.folder / "joined" / name).read_text())
    assert document["analyze"]
    assert document["pipeline"]
    assert document["separation"] is None


def test_processes_that_share_the_device(mashup: Mashup, repository: Path) -> None:
    short = ("--processes", "2", "--songs", "1", "--seconds", "1", "--device", "cpu")
    done = mashup.run("bench", "processes", *short, *model(repository), "-o", "shared")
    assert done.returncode == 0, done.stderr
    assert "worker processes on one device" in done.stdout
    (name,) = mashup.files("shared")
    made = json.loads((mashup.folder / "shared" / name).read_text())["processes"]
    (both,) = made["counts"]
    assert (both["processes"], both["failures"]) == (2, [])
    run = both["run"]
    assert (run["tracks"], run["track_s"], len(run["rounds_s"])) == (2, 1, 1)
    assert run["times_real_time"] == pytest.approx(2 / run["p50_s"], rel=0.01)


@pytest.mark.skipif(importlib.util.find_spec("unblend") is not None, reason="unblend is here")
def test_an_engine_that_is_not_installed(mashup: Mashup) -> None:
    done = mashup.run("bench", *SHORT, "--against", "unblend", "-o", "none")
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith("mashup: unblend is not installed: pip install unblend")
    assert not mashup.files("none")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--sweep", "weather"), "--sweep weather"),
        (("analyze", "--sweep", "batch"), "--sweep batch"),
        (("pipeline", "--against", "demucs"), "--against"),
        (("pipeline", "--processes", "2"), "--processes applies to processes only"),
        (("processes", "--processes", "1,many"), "--processes 1,many"),
        (("--model", "nosuch"), "nosuch"),
        (("--precision", "fp64"), "fp64"),
        (("--rounds", "0"), "--rounds"),
    ],
)
def test_wrong_usage(mashup: Mashup, options: tuple[str, ...], reason: str) -> None:
    done = mashup.run("bench", *options, "-o", "none")
    assert done.returncode == 2
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
    assert not mashup.files("none")


def test_results_that_could_not_be_saved_are_not_measured(mashup: Mashup) -> None:
    (mashup.folder / "file").write_text("")
    done = mashup.run("bench", "analyze", *SHORT, "-o", "file/results")
    assert done.returncode == 3
    assert "measuring on" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def _ctrl_c() -> Iterator[None]:
    """Let Ctrl-C reach the command, even where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_ctrl_c")
def test_stopped_by_ctrl_c(mashup: Mashup, repository: Path) -> None:
    options = ("--seconds", "600", "--rounds", "1000", "--device", "cpu", *model(repository))
    with mashup.process("bench", *options, "-o", "stopped") as process:
        assert process.stderr is not None
        assert "measuring on" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=180)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert stdout == ""
    assert not mashup.files("stopped")
