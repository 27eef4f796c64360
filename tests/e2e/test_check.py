"""`mashup check` as installed: what it says of a mix, and how it ends."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import soundfile

from mashup_worker.mixing.plan_document import format_plan
from tests.e2e.command import MIX, documents
from tests.unit.mashups import mashup_plan

if TYPE_CHECKING:
    from concurrent.futures import Future
    from subprocess import CompletedProcess

    from tests.e2e.command import Mashup

    Runs = dict[str, Future[CompletedProcess[str]]]

SAMPLE = MIX.parent
TRUTH: dict[str, Any] = json.loads((SAMPLE / "truth.json").read_text())
KINDS = tuple(TRUTH["stems"])


def _make_files(mashup: Mashup) -> None:
    """The sample song as a mashup of two: its voice from one, all else from another."""
    for kind, file in TRUTH["stems"].items():
        song = "one" if kind == "vocals" else "two"
        (mashup.folder / f"stems/{song}").mkdir(parents=True, exist_ok=True)
        shutil.copy(SAMPLE / file, mashup.folder / f"stems/{song}/{file}")
    shutil.copytree(SAMPLE, mashup.folder / "song")
    (mashup.folder / "empty").mkdir()
    bars = len(TRUTH["downbeats_s"])
    names = ["one/vocals", *(f"two/{kind}" for kind in KINDS if kind != "vocals")]
    plan = mashup_plan(
        {name: [(0.0, 4.0), (4.0, float(bars))] for name in names},
        bars=bars,
        tempo_bpm=TRUTH["tempo_bpm"],
        master={"loudness_lufs": -13.1, "true_peak_dbtp": -0.5},
    )
    (mashup.folder / "plan.json").write_text(format_plan(plan), encoding="utf-8")
    samples, sample_rate = soundfile.read(MIX)
    mashup.song("shifted.flac", samples[round(0.03 * sample_rate) :])
    with (mashup.folder / mashup.song("damaged.wav")).open("ab") as file:
        file.write(b"\xaa" * 1_000)
    (mashup.folder / "broken.json").write_text("{")


@pytest.fixture(scope="module")
def runs(mashup: Mashup) -> Runs:
    _make_files(mashup)
    mix = "song/mix.flac"
    calls: dict[str, tuple[str, ...]] = {
        "alone": (mix,),
        "damaged": ("damaged.wav",),
        "damaged as JSON": ("damaged.wav", "--stems", "stems", "--json"),
        "damaged, quiet": ("damaged.wav", "-q"),
        "planned": (mix, "--plan", "plan.json", "--json"),
        "stems": (mix, "--plan", "plan.json", "--stems", "stems", "--json"),
        "shifted": ("shifted.flac", "--plan", "plan.json", "-q"),
        "target": (mix, "--loudness", "-9", "--true-peak", "-3", "--json"),
        "no file": ("nothing.flac",),
        "no stems": (mix, "--stems", "empty"),
        "no folder": (mix, "--stems", "nothing"),
        "no plan": (mix, "--plan", "broken.json"),
        "no target": (mix, "--loudness", "9"),
    }
    return {name: mashup.start("check", *arguments) for name, arguments in calls.items()}


def found(run: Future[CompletedProcess[str]]) -> dict[str, dict[str, Any]]:
    (document,) = documents(run.result().stdout)
    assert {"input", "elapsed_s", "warnings", "passed", "notes", "target_lufs"} < document.keys()
    return {one["name"]: one for one in document["measurements"]}


def failed(run: Future[CompletedProcess[str]]) -> set[str]:
    return {name for name, one in found(run).items() if one["passed"] is False}


def test_a_file_alone_passes_in_words(runs: Runs) -> None:
    done = runs["alone"].result()
    assert (done.returncode, done.stderr) == (0, "")
    *rows, first_note, second_note, last = done.stdout.splitlines()
    assert {row.split("\t")[0] for row in rows} == {"✓", "–"}  # noqa: RUF001
    assert first_note.startswith("Note: without a plan")
    assert second_note.startswith("Note: without stems")
    assert last.startswith("all ")
    assert last.endswith(" passed")


def test_damaged_parts_are_named(runs: Runs) -> None:
    warning = "damaged.wav: 1,000 bytes behind the audio are ignored"
    assert runs["damaged"].result().stderr == f"mashup: {warning}\n"
    done = runs["damaged as JSON"].result()
    assert done.stderr == f"mashup: {warning}\n"
    (document,) = documents(done.stdout)
    assert document["warnings"] == [warning]
    assert runs["damaged, quiet"].result().stderr == ""


def test_a_plan_sets_the_targets(runs: Runs) -> None:
    assert runs["planned"].result().returncode == 0
    assert found(runs["planned"])["tempo"]["passed"] is True
    assert found(runs["planned"])["integrated loudness"]["wanted"] == "-13.1 ± 0.1"


def test_stems_are_found_by_song_and_kind(runs: Runs) -> None:
    told = found(runs["stems"])
    assert {"one/vocals: lag", "two/drums: lag", "two/bass: outside its clips"} < told.keys()
    assert failed(runs["stems"]) <= {"vocals over accompaniment"}
    assert runs["stems"].result().returncode == bool(failed(runs["stems"]))


def test_a_shifted_mix_fails_and_quiet_prints_only_why(runs: Runs) -> None:
    done = runs["shifted"].result()
    assert (done.returncode, done.stderr) == (1, "")
    failures = done.stdout.splitlines()
    assert {line.split("\t")[0] for line in failures} == {"✗"}
    (lag,) = (line.split("\t")[2] for line in failures if "mix: lag\t" in line)
    assert float(lag.removesuffix(" ms")) == pytest.approx(30, abs=1)


def test_targets_may_be_named(runs: Runs) -> None:
    assert runs["target"].result().returncode == 1
    assert failed(runs["target"]) == {"integrated loudness", "true peak"}


@pytest.mark.parametrize(
    ("name", "exit_code", "said"),
    [
        ("no file", 1, "nothing.flac"),
        ("no stems", 2, "empty: no stems"),
        ("no folder", 2, "nothing: No such file"),
        ("no plan", 1, "broken.json: invalid JSON"),
        ("no target", 2, "--loudness 9"),
    ],
)
def test_unusable_inputs_are_named_in_one_line(
    runs: Runs, name: str, exit_code: int, said: str
) -> None:
    done = runs[name].result()
    assert (done.returncode, done.stdout) == (exit_code, "")
    assert done.stderr.startswith(f"mashup: {said}")
    assert done.stderr.count("\n") == 1
