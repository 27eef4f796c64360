"""`mashup mix` as installed: what it makes of songs, stems and plans, and how it ends."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from mashup_worker.audio.decode import decode
from mashup_worker.dsp.loudness import measure
from tests.e2e.command import MIX, documents, excerpt

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from subprocess import CompletedProcess

    from tests.e2e.command import Mashup

    Runs = dict[str, Future[CompletedProcess[str]]]

SAMPLES = MIX.parent.parent
SINGER, HOST = SAMPLES / "slow-it-down", SAMPLES / "when-the-night-falls"
VOCALS = f"--stem={SINGER}/vocals.ogg:vocals:a"
BACKING = (f"--stem={HOST}/drums.ogg:drums:b", f"--stem={HOST}/bass.ogg:bass:b")
STEMS = (VOCALS, *BACKING)

USAGE, INPUT, UNAVAILABLE = 2, 1, 3
FAILURES: dict[str, tuple[tuple[str, ...], int, str]] = {
    "intensity": ((*STEMS, "--intensity", "2"), USAGE, "intensity 2: "),
    "length": ((*STEMS, "--length", "1"), USAGE, "length 1 s"),
    "longer": ((*STEMS, "--length", "99999"), USAGE, "length 99999 s"),
    "key": ((*STEMS, "--key", "H"), USAGE, "key 'H': "),
    "engine": ((*STEMS, "--engine", "magic"), USAGE, "engine 'magic': "),
    "nothing": ((), USAGE, "no sources: "),
    "no host": (("--vocals-of", "x.mp3"), USAGE, "--vocals-of needs --over"),
    "kind": (("--stem", "tone.wav:kazoo"), USAGE, "--stem tone.wav:kazoo: "),
    "no file": (("--stem", "no.wav:drums", *STEMS), INPUT, "no.wav: No such file"),
    "no song": (("--vocals-of", "no.mp3", "--over", str(HOST)), INPUT, "no.mp3: no such file"),
    "tempo": ((*STEMS, "--tempo", "210"), INPUT, "b: 174.00 BPM needs "),
    "silent": (("--stem", "silence.wav:drums:c", VOCALS), INPUT, "c: drums is silent"),
    "beat": (("--stem", "tone.wav:other:c", VOCALS), INPUT, "c: no beat was found"),
    "scrap": (("--stem", "scrap.wav:drums:c", VOCALS), INPUT, "c: "),
    "decided": (("--plan", "mix.plan.json", "--vibe", "chill"), USAGE, "--vibe has no effect on"),
    "beyond": (("--plan", "beyond.json"), INPUT, "clips.0.from_bar: "),
    "text for a number": (("--plan", "typed.json"), INPUT, "typed.json: clips.0.at_bar: "),
    "deep": (("--plan", "deep.json"), INPUT, "deep.json: "),
    "no plan": (("--plan", "none.json"), INPUT, "none.json: No such file"),
    "text": (("--plan", "text.json"), INPUT, "text.json: invalid JSON"),
    "field": (("--plan", "field.json"), INPUT, "field.json: clips.0.gain_db: "),
    "source": (("--plan", "source.json"), INPUT, "source.json: clips.0.source: "),
    "tempo of a source": (("--plan", "beat.json"), INPUT, "beat.json: sources.b/bass.tempo_bpm: "),
    "moved": (("--plan", "moved.json"), INPUT, "no.ogg: No such file"),
}
"""Calls that must fail, their exit codes, and how their line begins."""

CHOICES: dict[str, tuple[tuple[str, ...], str]] = {
    "vibe": ((*STEMS, "--vibe", "techno"), "club"),
    "transition": ((*STEMS, "--transition", "wipe"), "crossfade"),
    "form": ((*STEMS, "--form", "stack"), "layer"),
}
"""Calls with an unknown choice, and a known one that the message names."""

OUTPUTS: dict[str, tuple[tuple[str, ...], int, str]] = {
    "ending": ((*STEMS, "-o", "out/a.txt"), USAGE, "out/a.txt: unknown audio format"),
    "itself": (("--stem", "tone.wav:drums", "-o", "tone.wav"), INPUT, "-o tone.wav: it would over"),
    "tracks": (
        (
            *("--stem", "songs/host/drums.ogg:drums:host"),
            *("--stem", "songs/host/bass.wav:bass:host"),
            *("--keep-stems", "songs", "-o", "out/a.wav"),
        ),
        INPUT,
        "--keep-stems songs: it would overwrite songs/host/bass.wav",
    ),
    "page": ((*STEMS, "-o", "out/a.wav", "--report", "out/a.wav"), INPUT, "--report out/a.wav: "),
    "folder": ((*STEMS, "-o", "tone.wav/a.mp3"), UNAVAILABLE, "tone.wav/a.mp3: cannot be written"),
}


def _make_files(mashup: Mashup) -> None:
    at = np.arange(44_100 * 12) / 44_100
    mashup.song("tone.wav", 0.1 * np.sin(2 * np.pi * 440 * at))
    mashup.song("silence.wav", np.zeros((44_100 * 12, 2)))
    mashup.song("scrap.wav", excerpt(0.05))
    (mashup.folder / "text.json").write_text("club, please")
    for name, kind in (("singer", "vocals"), ("host", "drums")):
        folder = SINGER if name == "singer" else HOST
        (mashup.folder / "songs" / name).mkdir(parents=True)
        shutil.copy(folder / f"{kind}.ogg", mashup.folder / "songs" / name / f"{kind}.ogg")
    # Mono at another rate, and shorter than the song's other stem.
    bass = decode(HOST / "bass.ogg")
    mashup.song("songs/host/bass.wav", bass.samples.mean(dim=0)[::2][: 22_050 * 20].numpy(), 22_050)
    damaged = (mashup.folder / "songs/host/bass.wav").read_bytes() + b"\xaa" * 1_000
    for name in ("damaged.wav", "damaged/bass.wav"):
        (mashup.folder / name).parent.mkdir(exist_ok=True)
        (mashup.folder / name).write_bytes(damaged)


@pytest.fixture(scope="module")
def made(mashup: Mashup) -> dict[str, Any]:
    """A mashup of stems, and what was said of it."""
    _make_files(mashup)
    done = mashup.run(
        "mix", *STEMS, "-o", "mix.wav", "--length", "25", "--report", "mix.html", "--json"
    )
    assert (done.returncode, done.stderr) == (0, "")
    (document,) = documents(done.stdout)
    return document


_LATE = {"first_downbeat_s": -0.03}


def _soften(plan: dict[str, Any]) -> None:
    for clip in plan["clips"]:
        clip["gain_db"] -= 6


def _edited(mashup: Mashup, plan: dict[str, Any], name: str, edit: Callable[[Any], None]) -> None:
    document = json.loads(json.dumps(plan))
    edit(document)
    (mashup.folder / name).write_text(json.dumps(document))


@pytest.fixture(scope="module")
def runs(mashup: Mashup, made: dict[str, Any]) -> Runs:
    """All other calls, under way."""
    plan = made["plan"]
    _edited(mashup, plan, "field.json", lambda p: p["clips"][0].update(gain_db="loud"))
    _edited(mashup, plan, "beyond.json", lambda p: p["clips"][0].update(from_bar=500))
    _edited(mashup, plan, "typed.json", lambda p: p["clips"][0].update(at_bar="0"))
    (mashup.folder / "deep.json").write_text("[" * 200_000)
    _edited(mashup, plan, "source.json", lambda p: p["clips"][0].update(source="nobody/drums"))
    _edited(mashup, plan, "beat.json", lambda p: p["sources"]["b/bass"].update(tempo_bpm=-1))
    _edited(mashup, plan, "moved.json", lambda p: p["sources"]["b/bass"].update(path="no.ogg"))
    _edited(mashup, plan, "softer.json", _soften)
    _edited(mashup, plan, "late.json", lambda p: p["sources"]["b/drums"].update(_LATE))
    calls: dict[str, tuple[str, ...]] = {
        "again": ("--plan", "mix.plan.json", "-o", "again.wav", "--json"),
        "softer": ("--plan", "softer.json", "-o", "softer.wav", "--json"),
        "late": ("--plan", "late.json", "-o", "late.wav", "--json"),
        "strict": ("--plan", "late.json", "-o", "strict.wav", "--strict"),
        "mp3": (
            *("--vocals-of", "songs/singer", "--over", "songs/host", "-o", "out.mp3"),
            *("--length", "25", "--keep-stems", "tracks", "--key", "Am", "--loudness", "-12"),
        ),
        "sequence": (
            *(str(SINGER), str(HOST), "-o", "two.flac", "--length", "40", "--json"),
            *("--transition", "bass_swap", "--vibe", "hype", "--intensity", "0.2"),
        ),
        "damaged": (
            *(VOCALS, BACKING[0], "--stem", "damaged.wav:bass:b", "-o", "warned.wav"),
            *("--length", "12", "--json"),
        ),
        "match damaged": ("songs/singer", "damaged/bass.wav", "songs/host/drums.ogg", "--json"),
        "twice": ("songs/host", "songs/host", "-o", "twice.wav", "--length", "25", "--json"),
        "quiet": (*STEMS, "-o", "quiet.wav", "--length", "25", "-q"),
        "match": ("songs/singer", str(HOST), "--json"),
        "reasons": ("songs/singer", str(HOST)),
        "one": ("songs/singer",),
    }
    for name, (arguments, _, _) in FAILURES.items():
        calls[name] = (*arguments, "-o", f"out/{name}.wav")
    calls |= {name: arguments for name, (arguments, _, _) in OUTPUTS.items()}
    calls |= {name: (*one, "-o", f"out/{name}.wav") for name, (one, _) in CHOICES.items()}
    matching = "match", "match damaged", "reasons", "one"
    return {
        name: mashup.start("match" if name in matching else "mix", *arguments)
        for name, arguments in calls.items()
    }


def told(runs: Runs, name: str) -> dict[str, Any]:
    done = runs[name].result()
    assert (done.returncode, done.stderr) == (0, "")
    (document,) = documents(done.stdout)
    return document


def test_the_result_is_one_line_of_json(mashup: Mashup, made: dict[str, Any]) -> None:
    facts = {"output", "elapsed_s", "passed", "rounds", "model", "warnings", "left_out"}
    assert made.keys() == facts | {"plan", "report"}
    assert made["model"] is None  # it was made of stems
    assert made["warnings"] == []
    assert made["output"] == "mix.wav"
    assert made["report"]["passed"] is True
    played = decode(mashup.folder / "mix.wav")
    grid = made["plan"]["grid"]
    bars_s = grid["bars"] * grid["beats_per_bar"] * 60 / grid["tempo_bpm"]
    assert played.duration_s == pytest.approx(bars_s, abs=3.0)
    wanted = made["plan"]["master"]["loudness_lufs"]
    assert measure(played).integrated_lufs == pytest.approx(wanted, abs=0.1)


def test_plan_report_and_page_lie_beside_the_mashup(mashup: Mashup, made: dict[str, Any]) -> None:
    assert json.loads((mashup.folder / "mix.plan.json").read_text()) == made["plan"]
    assert json.loads((mashup.folder / "mix.report.json").read_text()) == made["report"]
    page = (mashup.folder / "mix.html").read_text()
    assert page.startswith("<!doctype html>")
    assert all(one["name"] in page for one in made["report"]["measurements"])


def test_the_same_plan_and_seed_are_the_same_bytes(mashup: Mashup, runs: Runs) -> None:
    first = (mashup.folder / "mix.wav").read_bytes()
    assert told(runs, "again")["output"] == "again.wav"
    assert (mashup.folder / "again.wav").read_bytes() == first
    assert runs["quiet"].result().stdout == ""
    assert (mashup.folder / "quiet.wav").read_bytes() == first


def test_an_edited_plan_is_rendered_as_edited(
    mashup: Mashup, runs: Runs, made: dict[str, Any]
) -> None:
    gains = [clip["gain_db"] for clip in told(runs, "softer")["plan"]["clips"]]
    assert gains == [clip["gain_db"] - 6 for clip in made["plan"]["clips"]]
    assert (mashup.folder / "softer.wav").exists()


def test_a_miss_is_a_warning_and_fails_the_strict_only(runs: Runs) -> None:
    late = runs["late"].result()
    assert late.returncode == 0
    (document,) = documents(late.stdout)
    assert (document["passed"], document["report"]["passed"]) == (False, False)
    assert document["rounds"] == 1  # a given plan is not corrected
    (miss,) = [one for one in document["warnings"] if "b/drums: lag:" in one]
    assert miss.startswith("late.wav: b/drums: lag: ")
    assert miss in late.stderr
    strict = runs["strict"].result()
    assert strict.returncode == 1
    assert "strict.wav: b/drums: lag: " in strict.stderr


def test_stems_of_any_length_rate_and_channels_go_together(mashup: Mashup, runs: Runs) -> None:
    done = runs["mp3"].result()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("out.mp3: layer, club 0.5, 174.00 BPM, A minor, ")
    loudness = measure(decode(mashup.folder / "out.mp3"))
    assert loudness.integrated_lufs == pytest.approx(-12, abs=0.5)
    assert loudness.true_peak_dbtp is not None
    assert loudness.true_peak_dbtp <= -1
    assert mashup.files("tracks") == {"singer/vocals.wav", "host/drums.wav", "host/bass.wav"}
    lengths = {len(mashup.read(f"tracks/{name}")) for name in mashup.files("tracks")}
    assert len(lengths) == 1


def test_songs_in_a_row_are_a_sequence(mashup: Mashup, runs: Runs) -> None:
    document = told(runs, "sequence")
    plan = document["plan"]
    assert (plan["form"], plan["vibe"], plan["transition"]) == ("sequence", "hype", "bass_swap")
    assert {source["song"] for source in plan["sources"].values()} == {SINGER.name, HOST.name}
    assert document["report"]["passed"] is True
    assert decode(mashup.folder / "two.flac").duration_s == pytest.approx(40, abs=12)


def test_a_song_named_twice_plays_twice(runs: Runs) -> None:
    plan = told(runs, "twice")["plan"]
    assert plan["form"] == "sequence"
    assert [section["name"] for section in plan["sections"]] == ["host", "host (2)"]
    assert {clip["source"] for clip in plan["clips"]} == {
        *("host/drums", "host/bass", "host (2)/drums", "host (2)/bass")
    }


def test_damaged_parts_are_named(runs: Runs) -> None:
    for name, path in (("damaged", "damaged.wav"), ("match damaged", "damaged/bass.wav")):
        done = runs[name].result()
        warning = f"{path}: 1,000 bytes behind the audio are ignored"
        assert (done.returncode, done.stderr) == (0, f"mashup: {warning}\n")
        (document,) = documents(done.stdout)
        assert document["warnings"] == [warning]


def test_matches_are_printed_in_both_directions(runs: Runs) -> None:
    (document,) = TypeAdapter(list[dict[str, Any]]).validate_python([told(runs, "match")])
    pairs = [(one["vocal_song"], one["backing_song"]) for one in document["matches"]]
    assert pairs == [("singer", HOST.name)], "a song without instruments can't be a backing song"
    (best,) = document["matches"]
    assert best["scores"].keys() == {"tempo", "key", "chords", "rhythm", "spectrum"}
    assert all(0 <= one["value"] <= 1 and one["reason"] for one in best["scores"].values())
    assert best["suggestion"]["vocal_stretch_ratio"] == pytest.approx(184 / 174, abs=0.002)
    (doubt,) = document["notes"]
    assert doubt.startswith("singer: uncertain beat, ")
    reasons = runs["reasons"].result()
    assert (reasons.returncode, reasons.stderr) == (0, "")
    assert best["scores"]["tempo"]["reason"] in reasons.stdout
    assert f"Note: {doubt}\n" in reasons.stdout
    one = runs["one"].result()
    assert (one.returncode, one.stdout) == (1, "")
    assert "two different songs" in one.stderr


@pytest.mark.parametrize("name", CHOICES)
def test_an_unknown_choice_names_the_known_ones(mashup: Mashup, runs: Runs, name: str) -> None:
    done = runs[name].result()
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert f"--{name}" in done.stderr
    assert CHOICES[name][1] in done.stderr
    assert mashup.files("out") == set()


@pytest.mark.parametrize("name", [*FAILURES, *OUTPUTS])
def test_each_refusal_is_one_line(mashup: Mashup, runs: Runs, name: str) -> None:
    _, exit_code, said = (FAILURES | OUTPUTS)[name]
    done = runs[name].result()
    assert done.stderr.startswith(f"mashup: {said}"), done.stderr
    assert (done.returncode, done.stdout) == (exit_code, "")
    assert done.stderr.count("\n") == 1
    assert mashup.files("out") == set()
