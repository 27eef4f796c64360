"""`mashup analyze` as installed: what is said of songs and stems, where it goes, how it ends."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import signal
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest

from mashup_worker.analysis.result import Analysis
from tests.e2e.command import MIX, documents

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from subprocess import CompletedProcess

    from tests.e2e.command import Mashup

    Runs = dict[str, Future[CompletedProcess[str]]]

SAMPLES = MIX.parents[1]
SONGS = sorted(path.parent.name for path in SAMPLES.glob("*/mix.flac"))
KINDS = ("vocals", "drums", "bass", "other")

FIELDS = tuple(Analysis(0.0).as_dict())
LISTS = (
    *("tempo_candidates_bpm", "tempo_candidates", "beats_s", "downbeats_s"),
    *("tempo_stretches", "key_candidates", "sections", "chords", "singing", "bars", "loops"),
    "cue_points",
)


def truth(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SAMPLES / name / "truth.json").read_text())
    return found


def _make_files(mashup: Mashup) -> None:
    for name in SONGS:
        (mashup.folder / "album").mkdir(exist_ok=True)
        shutil.copy(SAMPLES / name / "mix.flac", mashup.folder / f"album/{name}.flac")
        shutil.copytree(SAMPLES / name, mashup.folder / f"stems/{name}")
    (mashup.folder / "broken.mp3").write_text("This is not music.\n" * 100)
    mashup.song("silence.wav", np.zeros((10 * 44_100, 2)))
    mashup.song("short.wav", 0.3 * np.sin(np.arange(441) / 20))
    mashup.song("sample.wav", np.array([0.5]))
    for name in ("song.wav", "song.json"):
        shutil.copy(mashup.folder / "short.wav", mashup.folder / name)
    noise = 0.1 * np.random.default_rng(7).standard_normal(44_100 * 2)
    mashup.song("pair/vocals.wav", noise)
    mashup.song("pair/no_vocals.wav", noise)


@pytest.fixture(scope="module")
def runs(mashup: Mashup) -> Runs:
    """Calls that need nothing of each other, under way."""
    _make_files(mashup)
    first, second, third = (f"album/{name}.flac" for name in SONGS)
    odd = ("silence.wav", "short.wav", "sample.wav")
    calls: dict[str, tuple[str, ...]] = {
        "batch": (first, "broken.mp3", second, third, "--json", "--jobs", "2"),
        "stems": ("stems", "--json", "-o", "kept"),
        "people": (first,),
        "verbose": (first, "-v"),
        "quiet": (first, "-q", "-o", "quiet"),
        "csv": ("album", "broken.mp3", "--csv"),
        "plot": (first, "--plot", "pictures/one.png"),
        "plots": (f"stems/{SONGS[0]}", *odd, "--plot", "plots", "--json"),
        "pair": ("pair", "--json"),
        "hint": (first, "--json", "--tempo-range", "40-80", "--beats-per-bar", "3"),
    }
    return {name: mashup.start("analyze", *arguments) for name, arguments in calls.items()}


def by_input(run: Future[CompletedProcess[str]]) -> dict[str, dict[str, Any]]:
    return {line["input"]: line for line in documents(run.result().stdout)}


def assert_sound(analysis: dict[str, Any]) -> None:
    """An analysis is of one piece."""
    assert tuple(analysis) == FIELDS
    beats, bars = analysis["beats_s"], analysis["downbeats_s"]
    assert beats == sorted(set(beats))
    assert set(bars) <= set(beats)
    assert all(-0.001 <= time_s <= analysis["duration_s"] + 0.001 for time_s in beats)
    for scores in ("tempo_candidates", "key_candidates"):
        assert all(0 <= one["score"] <= 1 for one in analysis[scores])
    for confidence in ("tempo_confidence", "key_confidence"):
        assert 0 <= analysis[confidence] <= 1


def test_one_broken_file_stops_nothing_and_order_is_kept(runs: Runs) -> None:
    done = runs["batch"].result()
    assert done.returncode == 1
    inputs = [line["input"] for line in documents(done.stdout)]
    assert inputs == [
        f"album/{SONGS[0]}.flac",
        "broken.mp3",
        *(f"album/{s}.flac" for s in SONGS[1:]),
    ]
    broken, summary = done.stderr.splitlines()
    assert broken.startswith("mashup: broken.mp3")
    assert summary == "mashup: 1 of 4 failed: broken.mp3"
    error = by_input(runs["batch"])["broken.mp3"]
    assert error.keys() == {"input", "error"}
    assert error["error"]["code"] == "unsupported_audio"


@pytest.mark.parametrize("name", SONGS)
def test_the_json_of_a_song(runs: Runs, name: str) -> None:
    line = by_input(runs["batch"])[f"album/{name}.flac"]
    assert line.keys() == {"input", "elapsed_s", "warnings", "analysis"}
    assert line["warnings"] == []
    assert line["elapsed_s"] > 0
    analysis = line["analysis"]
    assert_sound(analysis)
    assert None not in analysis.values()
    assert analysis["tempo_bpm"] == pytest.approx(truth(name)["tempo_bpm"], rel=0.001)
    assert analysis["key"] == truth(name)["key"]
    assert analysis["duration_s"] == pytest.approx(truth(name)["duration_s"], abs=0.01)
    assert re.fullmatch(r"1?\d[AB]", analysis["camelot"])
    assert analysis["loudness_lufs"] == pytest.approx(-13, abs=1.5)
    assert analysis["true_peak_dbtp"] == pytest.approx(-1, abs=1)


@pytest.mark.parametrize("name", SONGS)
def test_a_folder_of_stems_is_one_song(mashup: Mashup, runs: Runs, name: str) -> None:
    line = by_input(runs["stems"])[f"stems/{name}"]
    assert runs["stems"].result().returncode == 0
    assert_sound(line["analysis"])
    assert line["analysis"]["tempo_bpm"] == pytest.approx(truth(name)["tempo_bpm"], rel=0.001)
    assert line["analysis"]["key"] == truth(name)["key"]
    # The stems add up to the mix, and so must be as loud.
    mix = by_input(runs["batch"])[f"album/{name}.flac"]["analysis"]
    assert line["analysis"]["loudness_lufs"] == pytest.approx(mix["loudness_lufs"], abs=0.1)
    kept = json.loads((mashup.folder / f"kept/{name}.json").read_text())
    assert kept.pop("options")["beats_per_bar"] is None
    assert kept.pop("source")["path"] == f"../stems/{name}"
    assert kept.pop("picture_sha256") == ""
    assert kept == line


def test_the_stems_of_a_folder_are_no_songs_and_its_mix_is_none(mashup: Mashup, runs: Runs) -> None:
    assert list(by_input(runs["stems"])) == [f"stems/{name}" for name in SONGS]
    assert mashup.files("kept") == {f"{name}.json" for name in SONGS}
    assert list(by_input(runs["pair"])) == ["pair"]


def test_people_get_a_line_and_on_demand_a_block(runs: Runs) -> None:
    about = truth(SONGS[0])
    done = runs["people"].result()
    (line,) = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    found = re.match(rf"album/{SONGS[0]}\.flac: (\d+\.\d\d) BPM \(\d+%\), 4/4, ", line)
    assert found
    assert float(found[1]) == pytest.approx(about["tempo_bpm"], rel=0.001)
    assert [word for word in (about["key"], "LUFS", "dBTP", "0:31") if word not in line] == []
    assert "\x1b" not in line
    block = runs["verbose"].result().stdout
    for word in (f"{found[1]} BPM", about["key"], "tempi", "keys", "key profile", "tuning"):
        assert word in block


def test_quiet_prints_nothing_and_still_writes(mashup: Mashup, runs: Runs) -> None:
    done = runs["quiet"].result()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert mashup.files("quiet") == {f"{SONGS[0]}.json"}


def test_csv_has_a_row_a_song(runs: Runs) -> None:
    done = runs["csv"].result()
    assert done.returncode == 1
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["input"] for row in rows] == [
        *(f"album/{name}.flac" for name in SONGS),
        "broken.mp3",
    ]
    assert tuple(rows[0]) == (
        "input",
        *(name for name in FIELDS if name not in LISTS),
        *("beats", "bars", "error"),
    )
    for name, row in zip(SONGS, rows, strict=False):
        analysis = by_input(runs["batch"])[f"album/{name}.flac"]["analysis"]
        assert float(row["tempo_bpm"]) == pytest.approx(analysis["tempo_bpm"], abs=0.01)
        assert (row["key"], row["tempo_stable"], row["error"]) == (analysis["key"], "true", "")
        assert (int(row["beats"]), int(row["bars"])) == (
            len(analysis["beats_s"]),
            len(analysis["downbeats_s"]),
        )
    assert set(rows[-1].values()) == {"broken.mp3", "", "unsupported_audio"}


def test_pictures(mashup: Mashup, runs: Runs) -> None:
    assert runs["plot"].result().returncode == runs["plots"].result().returncode == 0
    assert mashup.files("pictures") == {"one.png"}
    names = {f"{name}.png" for name in (SONGS[0], "silence", "short", "sample")}
    assert mashup.files("plots") == names
    for path in ("pictures/one.png", *(f"plots/{name}" for name in names)):
        content = (mashup.folder / path).read_bytes()
        assert content.startswith(b"\x89PNG")
        assert struct.unpack(">II", content[16:24]) == (1600, 1200)


@pytest.mark.parametrize("name", ["silence.wav", "short.wav", "sample.wav"])
def test_undetermined_values_are_null(runs: Runs, name: str) -> None:
    analysis = by_input(runs["plots"])[name]["analysis"]
    assert_sound(analysis)
    unknown = ("tempo_bpm", "beats_per_bar", "key", "camelot", "loudness_lufs")
    assert [analysis[field] for field in unknown] == [None] * len(unknown)
    assert analysis["beats_s"] == analysis["downbeats_s"] == []
    assert analysis["duration_s"] > 0


def test_hints_are_used(runs: Runs) -> None:
    (line,) = by_input(runs["hint"]).values()
    assert 40 <= line["analysis"]["tempo_bpm"] <= 80
    assert line["analysis"]["beats_per_bar"] == 3


def test_existing_results_are_not_analyzed_again(mashup: Mashup, runs: Runs) -> None:
    runs["stems"].result()
    kept = mashup.folder / "again"
    shutil.copytree(mashup.folder / "kept", kept)
    first, second, third = (kept / f"{name}.json" for name in SONGS)
    second.unlink()
    third.write_text('{"input": "half a')
    marked = json.loads(first.read_text())
    marked["analysis"]["tempo_bpm"] = 77.0
    first.write_text(json.dumps(marked))
    done = mashup.run("analyze", "stems", "-o", "again", "--skip-existing", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    lines = documents(done.stdout)
    assert [line["input"] for line in lines] == [f"stems/{name}" for name in SONGS]
    assert [line.get("skipped") for line in lines] == [True, None, None]
    assert lines[0]["analysis"] == marked["analysis"]
    stored = json.loads(third.read_text())
    assert stored.pop("options")["tempo_hint_bpm"] is None
    assert stored.keys() - lines[2].keys() == {"source", "picture_sha256"}
    assert stored["analysis"] == lines[2]["analysis"]
    table = mashup.run("analyze", "stems", "-o", "again", "--skip-existing", "--csv")
    assert next(csv.DictReader(io.StringIO(table.stdout)))["tempo_bpm"] == "77.0"


def test_results_are_known_by_content_and_options(mashup: Mashup, runs: Runs) -> None:
    assert runs
    for folder in ("one", "two"):
        (mashup.folder / folder).mkdir()
        shutil.copy(mashup.folder / "short.wav", mashup.folder / folder / "namesake.wav")
    again = ("-o", "namesakes", "--skip-existing", "--json")
    one, two = "one/namesake.wav", "two/namesake.wav"
    calls = ([one], [one], [two], [two, "--beats-per-bar", "3"])
    lines = [documents(mashup.run("analyze", *call, *again).stdout)[0] for call in calls]
    assert [line.get("skipped", False) for line in lines] == [False, True, True, False]
    assert [line["input"] for line in lines] == [one, one, two, two]


def test_the_analysis_of_another_song_is_kept(mashup: Mashup, runs: Runs) -> None:
    assert runs
    mashup.song("left/take.wav", 0.3 * np.sin(np.arange(441) / 20))
    mashup.song("right/take.wav", 0.3 * np.sin(np.arange(441) / 30))
    mashup.song("right/more.wav", 0.3 * np.sin(np.arange(441) / 40))
    first = mashup.run("analyze", "left/take.wav", "-o", "takes", "-q")
    kept = (mashup.folder / "takes/take.json").read_bytes()
    done = mashup.run("analyze", "right", "-o", "takes", "--skip-existing", "--json")
    assert (first.returncode, done.returncode) == (0, 1)
    assert "takes/take.json holds the analysis of another song, ../left/take.wav" in done.stderr
    more, take = documents(done.stdout)
    assert (more["input"], take["error"]["code"]) == ("right/more.wav", "invalid_input")
    assert (mashup.folder / "takes/take.json").read_bytes() == kept
    # A later version of the same file is the same song.
    mashup.song("left/take.wav", 0.3 * np.sin(np.arange(882) / 20))
    (line,) = documents(
        mashup.run("analyze", "left", "-o", "takes", "--skip-existing", "--json").stdout
    )
    assert "skipped" not in line
    assert line["analysis"]["duration_s"] == pytest.approx(0.02)


def test_a_picture_is_complete_only_with_its_document(mashup: Mashup, runs: Runs) -> None:
    """Another run replaces the document or the picture alone."""
    assert runs
    options = ("short.wav", "-o", "both", "--json", "--skip-existing")
    plot = ("--plot", "both/short.png")

    def skips(*more: str) -> bool:
        (line,) = documents(mashup.run("analyze", *options, *more).stdout)
        return bool(line.get("skipped", False))

    assert [skips(*plot), skips(*plot)] == [False, True]
    assert mashup.run("analyze", "sample.wav", *plot, "-q").returncode == 0
    assert [skips(), skips(*plot), skips(*plot)] == [True, False, True]
    assert [skips("--beats-per-bar", "3"), skips("--beats-per-bar", "3", *plot)] == [False, False]


class Bad(NamedTuple):
    """A call that must fail, its exit code, and words of the line that it ends with."""

    arguments: str
    code: int
    words: tuple[str, ...]


BAD = {
    "missing": Bad("missing.wav", 1, ("missing.wav", "no such file")),
    "no songs": Bad("nothing-here", 1, ("nothing-here", "no songs")),
    "picture of several": Bad("short.wav sample.wav --plot x.png", 2, ("x.png", "2 songs", "x/")),
    "no png": Bad("short.wav --plot x.svg", 2, ("x.svg", "PNG")),
    "json and csv": Bad("short.wav --json --csv", 2, ("--json", "--csv")),
    "skip": Bad("short.wav --skip-existing", 2, ("--skip-existing", "--output-dir")),
    "range": Bad("short.wav --tempo-range 80", 2, ("--tempo-range 80", "80-160")),
    "falling range": Bad("short.wav --tempo-range 160-80", 2, ("160", "80")),
    "hint": Bad("short.wav --tempo-hint 9", 2, ("tempo hint", "9")),
    "hint out of range": Bad("short.wav --tempo-hint 240", 2, ("240", "55 to 200")),
    "bar": Bad("short.wav --beats-per-bar 6", 2, ("6", "2, 3, 4, 5, 7")),
    "profile": Bad("short.wav --key-profile x", 2, ("'x'", "temperley")),
    "device": Bad("short.wav --device toaster", 2, ("toaster", "cuda")),
    "not a folder": Bad("short.wav -o short.wav/x", 3, ("short.wav/x", "Not a directory")),
    "own song": Bad("song.wav song.json -o . -q", 1, ("song.json", "overwrite a song")),
}


@pytest.mark.parametrize("name", BAD)
def test_each_failure_is_one_line(mashup: Mashup, runs: Runs, name: str) -> None:
    assert runs
    (mashup.folder / "nothing-here").mkdir(exist_ok=True)
    done = mashup.run("analyze", *BAD[name].arguments.split())
    assert done.returncode == BAD[name].code
    assert done.stdout == ""
    line = done.stderr.splitlines()[0]
    assert [word for word in BAD[name].words if word not in line] == []
    assert "Traceback" not in done.stderr


@pytest.fixture
def _ctrl_c() -> Iterator[None]:
    """Let Ctrl-C reach the command, even where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_ctrl_c")
def test_on_a_terminal_a_bar_counts_songs_and_ctrl_c_keeps_results(mashup: Mashup) -> None:
    noise = 0.1 * np.random.default_rng(5).standard_normal(10 * 60 * 44_100)
    mashup.song("stop/a.wav", noise[:44_100])
    for name in "bc":
        mashup.song(f"stop/{name}.wav", noise)
    terminal, stderr = os.openpty()
    options = ("--json", "--jobs", "2", "-o", "stopped")
    with mashup.process("analyze", "stop", *options, stderr=stderr) as process:
        os.close(stderr)
        assert process.stdout
        seen = b""
        # The terminal first: once its buffer is full, the command waits with its line unprinted.
        while b"1/3" not in seen:
            more = _read(terminal)
            assert more, f"ended before it was stopped: {seen!r}"
            seen += more
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        while more := _read(terminal):
            seen += more
        rest, _ = process.communicate(timeout=180)
    os.close(terminal)
    assert process.returncode == 130
    assert [line["input"] for line in documents(first + rest)] == ["stop/a.wav"]
    assert mashup.files("stopped") == {"a.json"}
    assert b"Traceback" not in seen


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # Linux's way of saying that nobody writes any more.
        return b""


def test_a_reader_that_has_seen_enough_is_no_reason_for_a_traceback(mashup: Mashup) -> None:
    songs = [mashup.song(f"many/{number}.wav") for number in range(3)]
    with mashup.process("analyze", *songs, "--json", "--jobs", "2") as process:
        assert process.stdout
        assert process.stderr
        first = process.stdout.readline()
        process.stdout.close()
        stderr = process.stderr.read()
    assert documents(first)[0]["input"] == "many/0.wav"
    assert "Traceback" not in stderr
    assert "BrokenPipe" not in stderr
